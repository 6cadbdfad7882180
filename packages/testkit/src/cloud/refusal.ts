/** Why a provider does not carry out a request. Each personality has its own body for each of them. */
export type RefusalKind =
  | 'no_capacity'
  | 'quota'
  | 'credentials'
  | 'permission'
  | 'balance'
  | 'too_many_calls'
  | 'provider_error'
  | 'not_found'
  /** The request itself is wrong. */
  | 'invalid'
  /** It conflicts with something that exists, like a name that is taken. */
  | 'conflict'
  /** The object is in a state in which the request is not possible. */
  | 'not_now';

export interface RefusalFacts {
  /** The object or field, in the provider's terms. */
  readonly what?: string;
  /** Null: the answer has no such header. */
  readonly retryAfterSeconds?: number | null;
}

export class Refusal extends Error {
  override name = 'Refusal';
  readonly kind: RefusalKind;
  readonly facts: RefusalFacts;

  constructor(kind: RefusalKind, message: string, facts: RefusalFacts = {}) {
    super(message);
    this.kind = kind;
    this.facts = facts;
  }
}
