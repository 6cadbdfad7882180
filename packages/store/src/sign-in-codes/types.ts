import type { Id, Timestamp } from '@dstack/core';

/** The answer to the code of a client: the person's user, or the reason why there is none. */
export type SignInResult =
  | { readonly kind: 'user'; readonly userId: Id }
  | { readonly kind: 'refused'; readonly reason: string };

/** A person whom a provider has confirmed, until the client that has begun the sign-in reports. */
export interface SignInCode {
  readonly code: string;
  /** Only the sign-in with this state may use the code. */
  readonly state: string;
  readonly result: SignInResult;
  readonly createdAt: Timestamp;
  readonly expiresAt: Timestamp;
}

/** Codes of the server's own, which clients get in place of a provider's; only hashes are stored. */
export interface SignInCodes {
  issue(code: SignInCode): Promise<void>;
  /** Null: unknown, used, expired, or of another sign-in. A wrong use also uses the code up. */
  redeem(use: {
    readonly code: string;
    readonly state: string;
    readonly now: Timestamp;
  }): Promise<SignInResult | null>;
  /** Returns how many. */
  deleteExpired(before: Timestamp): Promise<number>;
}
