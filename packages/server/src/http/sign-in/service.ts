/** Signing in through providers of OpenID Connect. */
import { randomBytes } from 'node:crypto';
import { ApiError, accessDenied, notFound, ruleError } from '@dstack/contract/api';
import type { OAuthGetNextRedirectResponse, OpenedSession } from '@dstack/contract/wire';
import type { SignInResult, UserRecord } from '@dstack/store';
import { signInCookie, signInSecrets } from '../../callers/cookie.ts';
import { Serial } from '../../logs/serial.ts';
import {
  ProviderError,
  type SignInClaims,
  type SignInProof,
  type SignInProvider,
} from '../../oidc/sign-in-providers.ts';
import type { HttpExchange } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { openSessionWith } from '../sessions/service.ts';
import { accountOf, activeUser } from './account.ts';
import { attempt, stateError, titleOf, unprovenClient } from './sign-in-faults.ts';
import {
  checkedState,
  localPortOf,
  newState,
  type SignInStarter,
  waitingClient,
} from './sign-in-state.ts';

/** How long the cookie of a sign-in lasts, in seconds. */
const COOKIE_SECONDS = 600;
/** How long a client has to redeem its code, in µs. */
const CODE_LASTS = 5 * 60 * 1_000_000;
/** States that were used, until they expire; the oldest are forgotten first. */
const MOST_USED = 10_000;

export interface Redirected {
  readonly code: string;
  readonly state: string;
  readonly iss?: string | null;
  /** The verifier of a client that has sent a challenge; null or omitted by other clients. */
  readonly verifier?: string | null;
}

/** How a client or a page begins. `local_port`: of a client that waits for the answer; null: a page does. */
export interface Beginning {
  readonly local_port: number | null;
  readonly challenge: string | null;
}

/** SHA-256 in base64url. */
const CHALLENGE = /^[\w-]{43}$/;

export class SignIns {
  readonly #deps: HttpDeps;
  readonly #used = new Set<string>();
  /** Two first sign-ins of one person must not create two users. */
  readonly #accounts = new Serial();

  constructor(deps: HttpDeps) {
    this.#deps = deps;
  }

  /** Where the browser goes. */
  async begin(providerName: string, beginning: Beginning, exchange: HttpExchange): Promise<string> {
    const provider = this.#provider(providerName);
    const { store, context } = this.#deps;
    const starter =
      beginning.local_port === null
        ? this.#browserStarter(exchange)
        : this.#clientStarter({ ...beginning, local_port: beginning.local_port }, exchange);
    const start = { provider: provider.name, starter, now: context().now };
    const proof = newState(await store.meta.signInKey(), start);
    return await attempt(provider, () => provider.authorizationUrl(proof));
  }

  #browserStarter({ request, setHeader }: HttpExchange): SignInStarter {
    const { credentials } = this.#deps;
    // Sign-ins in several tabs share the cookie.
    const secret = this.#secrets(request)[0] ?? randomBytes(32).toString('base64url');
    const isEncrypted = credentials.isEncrypted(request);
    const options = { isEncrypted, maxAge: COOKIE_SECONDS };
    setHeader('set-cookie', signInCookie(credentials.serverId, secret, options));
    return { kind: 'browser', secret };
  }

  #clientStarter(
    { local_port: port, challenge }: Beginning & { readonly local_port: number },
    { request }: HttpExchange,
  ): SignInStarter {
    if (challenge !== null && !CHALLENGE.test(challenge)) {
      throw ruleError('challenge: it must be a SHA-256 in base64url, 43 characters');
    }
    if (challenge === null && this.#deps.providers.requiresChallenge) throw unprovenClient();
    return { kind: 'client', port, challenge, address: this.#deps.signIns.addressOf(request) };
  }

  /**
   * Where the page must send the browser, because a client on the computer has begun. The provider's code is exchanged here,
   * so that the page can name the user whom the client would get; the client gets a code of the server's own.
   */
  async nextRedirect(
    redirected: Redirected,
    { request }: HttpExchange,
  ): Promise<OAuthGetNextRedirectResponse> {
    const { providers, signIns, store, context } = this.#deps;
    const { state } = redirected;
    const client = waitingClient(await store.meta.signInKey(), state, {
      providers: providers.all.map(({ name }) => name),
      address: signIns.addressOf(request),
      now: context().now,
    });
    if (client === null) return { redirect_url: null, needs_consent: false, username: null };
    if (!client.isProven && providers.requiresChallenge) throw unprovenClient();
    const provider = this.#provider(client.provider);
    const claims = await this.#claims(provider, redirected, this.#unused(client.proof), request);
    const { result, username } = await this.#resultOf(provider, claims);
    const query = new URLSearchParams({ code: await this.#handedCode(state, result), state });
    return {
      redirect_url: `http://localhost:${client.port}/auth/callback?${query}`,
      // The code of a person without a user only buys the reason, which the client shows.
      needs_consent: username !== null && !client.isSure,
      username,
    };
  }

  async #handedCode(state: string, result: SignInResult): Promise<string> {
    const code = randomBytes(32).toString('base64url');
    const createdAt = this.#deps.context().now;
    const expiresAt = createdAt + CODE_LASTS;
    await this.#deps.store.signInCodes.issue({ code, state, result, createdAt, expiresAt });
    return code;
  }

  /** For clients, which then read the user's token, and for pages that keep one. */
  async finish(
    providerName: string,
    redirected: Redirected,
    { request }: HttpExchange,
  ): Promise<UserRecord> {
    const provider = this.#provider(providerName);
    const proof = await this.#proof(provider, redirected, request);
    if (localPortOf(redirected.state) !== null) return await this.#redeemed(redirected, request);
    return await this.#userOf(
      provider,
      await this.#claims(provider, redirected, this.#unused(proof), request),
    );
  }

  /** Invented codes count as wrong tokens of the address. */
  async #redeemed(
    { code, state }: Redirected,
    request: HttpExchange['request'],
  ): Promise<UserRecord> {
    const { signIns, store, context } = this.#deps;
    const { now } = context();
    const look = () => store.signInCodes.redeem({ code, state, now });
    const result = await signIns.from(request)(`code ${code}`, look);
    if (result === null) throw stateError('code');
    if (result.kind === 'refused') throw accessDenied(result.reason);
    const user = await store.users.byId(result.userId);
    if (user === null) throw accessDenied('The user was deleted');
    return activeUser(user, null);
  }

  #userOf(provider: SignInProvider, claims: SignInClaims): Promise<UserRecord> {
    const rules = {
      ...{ provider: provider.name, title: titleOf(provider) },
      ...{ trustsEmail: provider.trustsEmail, domains: this.#deps.providers.domains },
    };
    return this.#accounts.run(() => accountOf(this.#deps, claims, rules));
  }

  async #resultOf(
    provider: SignInProvider,
    claims: SignInClaims,
  ): Promise<{ readonly result: SignInResult; readonly username: string | null }> {
    try {
      const user = await this.#userOf(provider, claims);
      return { result: { kind: 'user', userId: user.id }, username: user.name };
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 403) throw error;
      return { result: { kind: 'refused', reason: error.message }, username: null };
    }
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
    { state, verifier = null }: Redirected,
    request: HttpExchange['request'],
  ): Promise<SignInProof> {
    const checked = checkedState(await this.#deps.store.meta.signInKey(), state, {
      provider: provider.name,
      browsers: this.#secrets(request),
      verifier,
      address: this.#deps.signIns.addressOf(request),
      now: this.#deps.context().now,
    });
    if (typeof checked === 'string') throw stateError(checked);
    return checked;
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
