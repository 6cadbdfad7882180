/** The providers that people sign in at; `OidcProvider` is the only implementation besides those of tests. */

/** The values that tie a browser's redirect to the request that began it. */
export interface SignInProof {
  readonly state: string;
  readonly nonce: string;
  /** The verifier of PKCE. */
  readonly verifier: string;
}

export interface SignInAnswer {
  readonly code: string;
  /** The parameter `iss` of the redirect; null: it had none, or the client does not pass it on. */
  readonly issuer: string | null;
}

/** A person, as the provider describes them. */
export interface SignInClaims {
  readonly issuer: string;
  /** The id of the account: it stays the same when the address changes. */
  readonly subject: string;
  /** The domain of the organisation that the account belongs to (`hd` of Google); null: none is stated. */
  readonly hostedDomain: string | null;
  readonly email: string | null;
  readonly isEmailVerified: boolean;
}

export interface SignInProvider {
  readonly name: string;
  readonly trustsEmail: boolean;
  /** Where browsers go to sign in. Throws `ProviderError`. */
  authorizationUrl(proof: SignInProof): Promise<string>;
  /** Exchanges the code and checks the answer. Throws `ProviderError`. */
  claims(answer: SignInAnswer, proof: SignInProof): Promise<SignInClaims>;
}

export interface SignInProviders {
  readonly all: readonly SignInProvider[];
  /** Clients must prove that they have begun a sign-in. */
  readonly requiresChallenge: boolean;
  readonly domains: readonly string[];
}

/**
 * - `unreachable`: it did not answer, or not as a provider does; the same attempt may work later.
 * - `refused`: it refused the code, or its answer did not pass the checks.
 */
export class ProviderError extends Error {
  override name = 'ProviderError';
  readonly kind: 'unreachable' | 'refused';

  constructor(kind: 'unreachable' | 'refused', message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
