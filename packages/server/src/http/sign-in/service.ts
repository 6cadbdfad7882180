/** Signing in through providers of OpenID Connect. */
import { randomBytes } from 'node:crypto';
import { accessDenied, notFound, ruleError } from '@dstack/contract/api';
import type { OpenedSession } from '@dstack/contract/wire';
import type { UserRecord } from '@dstack/store';
import { Serial } from '../../logs/serial.ts';
import {
  ProviderError,
  type SignInClaims,
  type SignInProof,
  type SignInProvider,
} from '../../oidc/sign-in-providers.ts';
import type { HttpExchange } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { signInCookie, signInSecrets } from '../sessions/cookie.ts';
import { openSessionWith } from '../sessions/service.ts';
import { accountOf } from './account.ts';
import { checkedState, localPortOf, newState, type StateFault } from './sign-in-state.ts';

/** How long the cookie of a sign-in lasts, in seconds. */
const COOKIE_SECONDS = 600;
/** States that were used, until they expire; the oldest are forgotten first. */
const MOST_USED = 10_000;

export interface Redirected {
  readonly code: string;
  readonly state: string;
  readonly iss?: string | null;
}

const TITLES: Readonly<Record<string, string>> = {
  entra: 'Microsoft Entra ID',
  google: 'Google',
  okta: 'Okta',
  sso: 'The provider',
};

export class SignIns {
  readonly #deps: HttpDeps;
  readonly #used = new Set<string>();
  /** Two first sign-ins of one person must not create two users. */
  readonly #accounts = new Serial();

  constructor(deps: HttpDeps) {
    this.#deps = deps;
  }

  /** Where the browser goes. `localPort`: of a client that waits for the answer; null: a page does. */
  async begin(
    providerName: string,
    localPort: number | null,
    { request, setHeader }: HttpExchange,
  ): Promise<string> {
    const provider = this.#provider(providerName);
    const { credentials, store, context } = this.#deps;
    let browser: string | null = null;
    if (localPort === null) {
      // Sign-ins in several tabs share the cookie.
      browser = this.#secrets(request)[0] ?? randomBytes(32).toString('base64url');
      const isEncrypted = credentials.isEncrypted(request);
      const options = { isEncrypted, maxAge: COOKIE_SECONDS };
      setHeader('set-cookie', signInCookie(credentials.serverId, browser, options));
    }
    const start = { provider: provider.name, localPort, browser, now: context().now };
    const proof = newState(await store.meta.signInKey(), start);
    return await attempt(provider, () => provider.authorizationUrl(proof));
  }

  /** For clients, which then read the user's token. */
  async finish(
    providerName: string,
    redirected: Redirected,
    { request }: HttpExchange,
  ): Promise<UserRecord> {
    const provider = this.#provider(providerName);
    const proof = await this.#proof(provider, redirected.state, request);
    const claims = await this.#claims(provider, redirected, proof, request);
    const rules = { trustsEmail: provider.trustsEmail, domains: this.#deps.providers.domains };
    return await this.#accounts.run(() => accountOf(this.#deps, claims, rules));
  }

  /** For the pages of this server, in the browser that has begun. */
  async openSession(
    providerName: string,
    { persistent, ...redirected }: Redirected & { readonly persistent: boolean },
    exchange: HttpExchange,
  ): Promise<OpenedSession> {
    const refusal = this.#deps.credentials.originRefusal(exchange.request);
    if (refusal !== null) throw accessDenied(`Access denied: ${refusal}`);
    const isBound = this.#secrets(exchange.request).length > 0;
    if (!isBound || localPortOf(redirected.state) !== null) throw stateError('other_browser');
    const user = await this.finish(providerName, redirected, exchange);
    const credentials = await this.#deps.store.users.credentials(user.id);
    if (credentials === null) throw accessDenied(`The user '${user.name}' was deleted`);
    return await openSessionWith(this.#deps, user, persistent, credentials.token, exchange);
  }

  #provider(name: string): SignInProvider {
    const found = this.#deps.providers.all.find((provider) => provider.name === name);
    if (found === undefined) throw notFound(`This server has no sign-in provider ${name}`);
    return found;
  }

  #secrets(request: HttpExchange['request']): string[] {
    return signInSecrets(request.headers.cookie ?? '', this.#deps.credentials.serverId);
  }

  async #proof(
    provider: SignInProvider,
    state: string,
    request: HttpExchange['request'],
  ): Promise<SignInProof> {
    const key = await this.#deps.store.meta.signInKey();
    const { now } = this.#deps.context();
    const browsers = this.#secrets(request);
    let fault: StateFault = 'invalid';
    for (const browser of browsers.length === 0 ? [null] : browsers) {
      const checked = checkedState(key, state, { provider: provider.name, browser, now });
      if (typeof checked !== 'string') return this.#unused(checked);
      fault = checked;
    }
    throw stateError(fault);
  }

  /** The provider accepts a code once. This also holds for states, within one server. */
  #unused(proof: SignInProof): SignInProof {
    if (this.#used.has(proof.state)) throw stateError('used');
    this.#used.add(proof.state);
    const [oldest] = this.#used;
    if (this.#used.size > MOST_USED && oldest !== undefined) this.#used.delete(oldest);
    return proof;
  }

  /** Invented codes count as wrong tokens of the address. */
  async #claims(
    provider: SignInProvider,
    { code, iss }: Redirected,
    proof: SignInProof,
    request: HttpExchange['request'],
  ): Promise<SignInClaims> {
    let refusal: unknown = null;
    const look = async () => {
      try {
        return await provider.claims({ code, issuer: iss ?? null }, proof);
      } catch (error) {
        if (!(error instanceof ProviderError) || error.kind !== 'refused') throw error;
        refusal = error;
        return null;
      }
    };
    return await attempt(provider, async () => {
      const claims = await this.#deps.signIns.from(request)(`code ${code}`, look);
      if (claims === null) throw refusal;
      return claims;
    });
  }
}

function stateError(fault: StateFault | 'used') {
  const texts = {
    invalid: 'This sign-in was not begun at this server. Begin again',
    expired: 'This sign-in took more than 10 minutes. Begin again',
    used: 'This sign-in has been used before. Begin again',
    other_browser:
      'This sign-in was begun in another browser, or at another address of this server. Begin again in this browser',
  };
  return ruleError(texts[fault]);
}

/** Reports what a provider did not do. */
async function attempt<T>(provider: SignInProvider, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const title = TITLES[provider.name] ?? provider.name;
    if (error.kind === 'unreachable') {
      throw ruleError(
        `${title} does not answer this server: ${error.message}. Try again in a moment, or sign in with a token`,
      );
    }
    throw ruleError(`${title} did not confirm the sign-in: ${error.message}. Begin again`);
  }
}
