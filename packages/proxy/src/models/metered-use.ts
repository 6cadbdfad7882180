/** The tokens that requests of one user to one model have used on one day. */
export interface MeteredUse {
  readonly projectId: string;
  readonly userId: string;
  /** The service token that was used; null = another credential, or the token of a job. */
  readonly tokenId: string | null;
  readonly model: string;
  /** Days since the epoch, in UTC. */
  readonly day: number;
  readonly requests: number;
  /** Requests whose answer the client did not receive completely. */
  readonly aborted: number;
  /** Requests for which the model did not report tokens. */
  readonly estimated: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface UseStore {
  /** Resolves once the uses are durable, and count for the budgets of their tokens. */
  add(uses: readonly MeteredUse[]): Promise<void>;
}
