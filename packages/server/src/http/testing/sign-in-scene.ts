/** A server with three identity providers whose answers a test sets, and browsers that sign in there. */
import { createHash } from 'node:crypto';
import {
  ProviderError,
  type SignInAnswer,
  type SignInClaims,
  type SignInProof,
} from '../../oidc/sign-in-providers.ts';
import { startTestServer, type TestServer } from './test-server.ts';

export const ORIGIN = 'http://localhost';

/** The secret that a client stores to prove its identity, and the challenge that it sends. */
export const VERIFIER = 'v'.repeat(43);
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

/** The claims that a test sets; the account follows from the address unless the test names one. */
export type Stated = Pick<SignInClaims, 'email' | 'isEmailVerified'> & Partial<SignInClaims>;

type Headers = Record<string, string>;

/** The headers of a request behind a proxy that the server trusts. */
export const at = (address: string) => ({ 'x-forwarded-for': address });

export const refusal = (answer: { readonly body: { readonly detail: unknown } }) =>
  JSON.stringify(answer.body.detail);

export class SignInScene {
  /** The claims in the provider's next answer, or the error of the exchange. */
  claims: Stated | ProviderError = { email: 'ann.lee@example.org', isEmailVerified: true };
  /** The provider answers after this. */
  held: Promise<void> | null = null;
  readonly exchanged: (SignInAnswer & SignInProof)[] = [];
  #server: TestServer | null = null;

  static async start(requiresChallenge = false): Promise<SignInScene> {
    const scene = new SignInScene();
    await scene.#start(requiresChallenge);
    return scene;
  }

  get server(): TestServer {
    if (this.#server === null) throw new Error('the server has not been started');
    return this.#server;
  }

  close(): Promise<void> {
    return this.server.close();
  }

  post(path: string, body: unknown, headers: Headers = {}) {
    return this.server.call(`/api/auth/${path}`, body, { token: null, headers });
  }

  /** A browser that has been to the provider: the state and the cookie that it comes back with. */
  async browser(provider = 'okta') {
    const begun = await this.post(`${provider}/authorize`, {}, { origin: ORIGIN });
    const query = new URL(begun.body.authorization_url).searchParams;
    const setCookie = String(begun.headers['set-cookie']);
    const headers = { cookie: setCookie.split(';')[0] ?? '', origin: ORIGIN };
    return { state: query.get('state') ?? '', nonce: query.get('nonce'), setCookie, headers };
  }

  async signIn(provider = 'okta', more: object = {}) {
    const { state, headers } = await this.browser(provider);
    return await this.post(`${provider}/session`, { code: 'c', state, ...more }, headers);
  }

  async #start(requiresChallenge: boolean): Promise<void> {
    const okta = {
      name: 'okta',
      trustsEmail: false,
      authorizationUrl: async ({ state, nonce }: SignInProof) =>
        `https://okta.example/authorize?${new URLSearchParams({ state, nonce })}`,
      claims: (answer: SignInAnswer, proof: SignInProof) => this.#answer({ ...answer, ...proof }),
    };
    const all = [okta, { ...okta, name: 'sso', trustsEmail: true }, { ...okta, name: 'google' }];
    this.#server = await startTestServer(
      { failedLoginsPerMinute: 3, trustedProxies: ['loopback'] },
      { providers: { all, domains: ['example.org'], requiresChallenge } },
    );
  }

  async #answer(exchange: SignInAnswer & SignInProof): Promise<SignInClaims> {
    this.exchanged.push(exchange);
    await this.held;
    const { claims } = this;
    if (claims instanceof ProviderError) throw claims;
    return {
      ...{ issuer: 'https://okta.example', subject: `sub-of-${claims.email?.toLowerCase()}` },
      ...{ hostedDomain: null, ...claims },
    };
  }
}
