import { errorMessage } from '@dstack/contract/error-message';
import type { ClientAuth, Configuration, CustomFetch, IDToken } from 'openid-client';
import type { Outgoing } from '../outgoing/outgoing.ts';
import { OutgoingFailed, OutgoingRefused } from '../outgoing/outgoing-error.ts';
import type { OidcProviderSettings } from './oidc-settings.ts';
import {
  ProviderError,
  type SignInAnswer,
  type SignInClaims,
  type SignInProof,
  type SignInProvider,
} from './sign-in-providers.ts';

type Library = typeof import('openid-client');

export interface OidcProviderOptions extends OidcProviderSettings {
  /** The URL of the server. */
  readonly url: string;
  readonly outgoing: Pick<Outgoing, 'send'>;
  /** Milliseconds. */
  readonly now: () => number;
  /** Seconds by which the server's time is ahead of this process's clock (negative: behind). */
  readonly clockSkew: () => number;
}

/** Documents of providers are small. */
const MAX_BYTES = 1024 * 1024;
/** Keys and addresses of a provider change seldom. */
const KEPT_MS = 10 * 60_000;
/** A provider that does not answer is asked this often at most, however many browsers begin. */
const RETRY_MS = 3000;

/** A provider of OpenID Connect: authorization code flow with PKCE, nonce and signed ID tokens. */
export class OidcProvider implements SignInProvider {
  readonly name: string;
  readonly trustsEmail: boolean;
  readonly #options: OidcProviderOptions;
  #found: { readonly at: number; readonly config: Promise<Configuration> } | null = null;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(options: OidcProviderOptions) {
    this.name = options.name;
    this.trustsEmail = options.trustsEmail;
    this.#options = options;
  }

  /** The address that has to be registered at the provider. */
  get redirectUri(): string {
    return new URL(`/auth/${this.name}/callback`, this.#options.url).href;
  }

  async authorizationUrl({ state, nonce, verifier }: SignInProof): Promise<string> {
    const library = await import('openid-client');
    const config = await this.#configuration(library);
    const url = library.buildAuthorizationUrl(config, {
      redirect_uri: this.redirectUri,
      scope: 'openid email profile',
      state,
      nonce,
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    return url.href;
  }

  async claims(answer: SignInAnswer, proof: SignInProof): Promise<SignInClaims> {
    const library = await import('openid-client');
    const config = await this.#configuration(library);
    const url = new URL(this.redirectUri);
    // Each provider has a redirect address of its own, so a missing issuer cannot be another one's.
    const { issuer } = config.serverMetadata();
    const { code } = answer;
    url.search = `${new URLSearchParams({ code, state: proof.state, iss: answer.issuer ?? issuer })}`;
    try {
      const tokens = await library.authorizationCodeGrant(config, url, {
        pkceCodeVerifier: proof.verifier,
        expectedNonce: proof.nonce,
        expectedState: proof.state,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new ProviderError('refused', 'it sent no ID token');
      if (claims.email !== undefined || config.serverMetadata().userinfo_endpoint === undefined) {
        return claimsOf(claims, claims);
      }
      const info = await library.fetchUserInfo(config, tokens.access_token, claims.sub);
      return claimsOf(claims, info);
    } catch (error) {
      throw asProviderError(error);
    }
  }

  #configuration(library: Library): Promise<Configuration> {
    const now = this.#options.now();
    if (this.#found !== null && now - this.#found.at < KEPT_MS) return this.#found.config;
    if (now - this.#failedAt < RETRY_MS) {
      return Promise.reject(new ProviderError('unreachable', 'it did not answer a moment ago'));
    }
    const config = this.#discover(library).catch((error: unknown) => {
      this.#found = null;
      this.#failedAt = this.#options.now();
      const { message } = asProviderError(error);
      throw new ProviderError('unreachable', message, { cause: error });
    });
    this.#found = { at: now, config };
    return config;
  }

  async #discover(library: Library): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.#options;
    const url = new URL(issuer);
    return await library.discovery(
      url,
      clientId,
      { [library.clockSkew]: this.#options.clockSkew() },
      authentication(library, clientSecret),
      {
        [library.customFetch]: this.#fetch,
        execute: [
          library.enableNonRepudiationChecks,
          ...(url.protocol === 'http:' ? [library.allowInsecureRequests] : []),
        ],
      },
    );
  }

  readonly #fetch: CustomFetch = async (url, { method, headers, body, signal }) => {
    const text = body instanceof URLSearchParams ? String(body) : body;
    const answer = await this.#options.outgoing.send(url, {
      method: method === 'POST' ? 'POST' : 'GET',
      headers,
      ...(typeof text === 'string' ? { body: text } : {}),
      ...(signal ? { signal } : {}),
      maxBytes: MAX_BYTES,
    });
    const type = answer.header('content-type');
    const bytes = answer.status === 204 ? null : new Uint8Array(answer.body);
    return new Response(bytes, {
      status: answer.status,
      headers: type === null ? {} : { 'content-type': type },
    });
  };
}

/** The secret goes into the header, the default of OpenID Connect, unless only the body is supported. */
function authentication(library: Library, secret: string | null): ClientAuth {
  if (secret === null) return library.None();
  const [inHeader, inBody] = [library.ClientSecretBasic(secret), library.ClientSecretPost(secret)];
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const method = methods.includes('client_secret_basic') ? inHeader : inBody;
    method(server, client, body, headers);
  };
}

/** `info` has the address: the ID token, or what the provider answers about the person. */
function claimsOf(token: IDToken, info: Readonly<Record<string, unknown>>): SignInClaims {
  const { email, email_verified: verified } = info;
  const { sub: subject } = token;
  // Issuer and subject identify the person: all people without one would be the same user. The library requires a text only.
  if (subject.trim() === '') {
    throw new ProviderError(
      'refused',
      'its ID token identifies no user, as the claim `sub` is empty. Its administrators must map `sub` to the id of the account',
    );
  }
  return {
    issuer: token.iss,
    subject,
    hostedDomain: typeof token.hd === 'string' ? token.hd : null,
    email: typeof email === 'string' ? email : null,
    // Some providers send it as text.
    isEmailVerified: verified === true || verified === 'true',
  };
}

function asProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  let text = errorMessage(error);
  let cause: string | null = null;
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof OutgoingFailed || at instanceof OutgoingRefused) {
      return new ProviderError('unreachable', at.message, { cause: error });
    }
    // The message of the provider, if it sent one.
    if ('error_description' in at && typeof at.error_description === 'string') {
      text = at.error_description;
    } else if ('error' in at && typeof at.error === 'string') text = at.error;
    // The library's own errors name what they have found in their causes alone.
    else if (at !== error) cause = at.message;
  }
  return new ProviderError('refused', cause === null ? text : `${text} (${cause})`, {
    cause: error,
  });
}
