import type { Id } from '@dstack/core';
import type { StoredDelivery } from '../gateways/deliveries.ts';

/** The tokens that requests to a model have used. */
export interface UsageCounts {
  readonly requests: number;
  /** Requests whose answer the client did not receive completely. */
  readonly aborted: number;
  /** Requests for which the model did not report tokens; those of a stream are its events. */
  readonly estimated: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface ModelUse extends UsageCounts {
  readonly projectId: Id;
  readonly userId: Id;
  /** The service token that was used; null = another credential, or the token of a job. */
  readonly tokenId: Id | null;
  readonly model: string;
  /** Days since the epoch, in UTC. */
  readonly day: number;
}

export interface ModelUseView extends Omit<ModelUse, 'projectId' | 'userId' | 'tokenId'> {
  readonly userName: string;
}

export interface ModelUsage {
  /** Adds to what is stored, a `delivery` once; durable once it resolves. */
  add(uses: readonly ModelUse[], delivery?: StoredDelivery | null): Promise<void>;
  /** From and to these days, both included: by day, model and user. */
  list(projectId: Id, from: number, to: number): Promise<ModelUseView[]>;
}
