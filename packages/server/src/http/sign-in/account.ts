/** Which user a person is who has signed in at a provider. */
import { randomUUID } from 'node:crypto';
import { ApiError, accessDenied } from '@dstack/contract/api';
import type { UserRecord } from '@dstack/store';
import type { SignInClaims } from '../../oidc/sign-in-providers.ts';
import type { HttpDeps } from '../ports.ts';
import { createUser } from '../users/service.ts';

export interface AccountRules {
  readonly trustsEmail: boolean;
  /** People with addresses in these domains become users. */
  readonly domains: readonly string[];
}

/** The user with the person's verified address, who is created if the rules say so. */
export async function accountOf(
  deps: Pick<HttpDeps, 'store' | 'keys' | 'context'>,
  claims: SignInClaims,
  rules: AccountRules,
): Promise<UserRecord> {
  const email = verifiedEmail(claims, rules);
  const known = await deps.store.users.byEmail(email);
  if (known?.active) return known;
  if (known !== null) {
    throw accessDenied(
      `The user '${known.name}' (${email}) is deactivated. An admin of the server can activate it`,
    );
  }
  if (!rules.domains.includes(domainOf(email))) {
    throw accessDenied(
      `There is no user with the e-mail address ${email}. An admin of the server can add one: dstack user add NAME --email ${email}`,
    );
  }
  return await createFor(deps, email);
}

/** A stranger could enter an unverified address at the provider, and get the account of another person. */
function verifiedEmail({ email, isEmailVerified }: SignInClaims, rules: AccountRules): string {
  if (email === null || !isEmail(email)) {
    throw accessDenied(
      'The provider did not state your e-mail address. Its administrators must let this application read it (scope email)',
    );
  }
  if (isEmailVerified || rules.trustsEmail) return email.toLowerCase();
  throw accessDenied(
    `The provider does not state that your e-mail address ${email} is verified. Verify it there, and sign in again`,
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
