/** The service token of a request to a model, with what its limits allow at the moment. */
export interface ModelToken {
  readonly id: string;
  readonly name: string;
  /** Null: every model of the project. */
  readonly models: readonly string[] | null;
  readonly requestsPerMinute: number | null;
  /** Whether the token has a daily or monthly limit of tokens. */
  readonly hasBudget: boolean;
  /** A budget that is used up, and the seconds until it begins again; null = none. */
  readonly usedUp: { readonly text: string; readonly retryAfter: number } | null;
}
