/** Which user a person is who has signed in at a provider. */
import { randomUUID } from 'node:crypto';
import { ApiError, accessDenied } from '@dstack/contract/api';
import type { UserRecord } from '@dstack/store';
import type { SignInClaims } from '../../oidc/sign-in-providers.ts';
import type { HttpDeps } from '../ports.ts';
import { createUser } from '../users/service.ts';

export interface AccountRules {
  /** The name of the provider: `okta`, `google`. */
  readonly provider: string;
  /** The provider's name in messages to people. */
  readonly title: string;
  readonly trustsEmail: boolean;
  /** People with addresses in these domains become users. */
  readonly domains: readonly string[];
}

/**
 * The user who signs in with the account at the provider. At the first sign-in that is the user with the person's verified
 * address, who is created if the rules say so; from then on the account decides, whatever its address is.
 */
export async function accountOf(
  deps: Pick<HttpDeps, 'store' | 'keys' | 'context'>,
  claims: SignInClaims,
  rules: AccountRules,
): Promise<UserRecord> {
  const bound = await deps.store.users.byIdentity(claims);
  if (bound !== null) return activeUser(bound, claims.email);
  const email = verifiedEmail(claims, rules);
  const user = await userOfAddress(deps, email, rules);
  const outcome = await deps.store.users.bindIdentity(user.id, claims, deps.context().now);
  if (outcome === 'bound') return user;
  throw accessDenied(
    `The user '${user.name}' (${email}) signs in with another account at ${rules.title} that has or had this address. If yours is to take its place, an admin of the server deactivates the user and activates it again`,
  );
}

/** Throws `ApiError` if the user is deactivated. */
export function activeUser(user: UserRecord, email: string | null): UserRecord {
  if (user.active) return user;
  throw accessDenied(
    `The user '${user.name}' (${email ?? user.email}) is deactivated. An admin of the server can activate it`,
  );
}

async function userOfAddress(
  deps: Pick<HttpDeps, 'store' | 'keys' | 'context'>,
  email: string,
  rules: AccountRules,
): Promise<UserRecord> {
  const known = await deps.store.users.byEmail(email);
  if (known !== null) return activeUser(known, email);
  if (!rules.domains.includes(domainOf(email))) {
    throw accessDenied(
      `There is no user with the e-mail address ${email}. An admin of the server can add one: dstack user add NAME --email ${email}`,
    );
  }
  return await createFor(deps, email);
}

/** A stranger could enter an unverified address at the provider, and get the account of another person. */
function verifiedEmail(claims: SignInClaims, rules: AccountRules): string {
  const { email, isEmailVerified } = claims;
  if (email === null || !isEmail(email)) {
    throw accessDenied(
      'The provider did not state your e-mail address. Its administrators must let this application read it (scope email)',
    );
  }
  if (isEmailVerified || rules.trustsEmail) {
    if (rules.provider === 'google') checkHostedDomain(email.toLowerCase(), claims.hostedDomain);
    return email.toLowerCase();
  }
  throw accessDenied(
    `The provider does not state that your e-mail address ${email} is verified. Verify it there, and sign in again`,
  );
}

/** Addresses that Google itself gives to people; it confirms others, but does not manage them. */
const OF_GOOGLE: readonly string[] = ['gmail.com', 'googlemail.com'];

/** A stranger can make a Google account with an address of an organisation, and keep it after leaving. */
function checkHostedDomain(email: string, hostedDomain: string | null): void {
  const domain = domainOf(email);
  if (hostedDomain?.toLowerCase() === domain || OF_GOOGLE.includes(domain)) return;
  throw accessDenied(
    `Google does not state that your account ${email} belongs to the organisation ${domain} (hd). Sign in with the account that your organisation manages`,
  );
}

function isEmail(text: string): boolean {
  return text.length <= 254 && /^[^\s@\p{C}]+@[^\s@\p{C}]+$/u.test(text);
}

function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1);
}

const MOST_NAMES = 100;

/** The part before the `@` becomes the name, with a number if it is taken. */
async function createFor(
  deps: Pick<HttpDeps, 'store' | 'keys' | 'context'>,
  email: string,
): Promise<UserRecord> {
  const name = userNameFor(email);
  for (let number = 1; ; number += 1) {
    const username = number === 1 ? name : `${name}-${number}`;
    const user = { username, global_role: 'user', email, active: true } as const;
    try {
      return await createUser(deps, user, null, randomUUID());
    } catch (error) {
      const isTaken = error instanceof ApiError && error.code === 'resource_exists';
      if (!isTaken || number === MOST_NAMES) throw error;
    }
  }
}

const LONGEST_NAME = 50;

/** `ann.lee@example.org` becomes `ann-lee`. */
export function userNameFor(email: string): string {
  const plain = email
    .slice(0, email.lastIndexOf('@'))
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .slice(0, LONGEST_NAME)
    .split('-')
    .filter((part) => part !== '')
    .join('-');
  return plain === '' ? 'user' : plain;
}
