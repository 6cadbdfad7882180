/** Fair shares: what projects and their users have used of a pool. */
import type { Id } from './values.ts';

/** What one GPU counts, by its name in small letters; absent = 1. The cheapest GPU of the pool counts 1. */
export type GpuWeights = Readonly<Record<string, number>>;

/** What a claim counts of the shares of its project and user, as it was at the time of the claim. */
export interface ShareCharge {
  /** Millionths of a GPU. */
  readonly rate: number;
  /** By which the rate was computed: it stays the same while prices change. */
  readonly weights: GpuWeights;
}

/** What a user has used in a project, and uses now. */
export interface ShareState {
  readonly projectId: Id;
  readonly userId: Id;
  /** GPU hours, of which half is forgotten in each half-life, at the time of the read. */
  readonly usage: number;
  /** Of the present claims, in millionths of a GPU. */
  readonly rate: number;
}

/** Present in a snapshot if the pool is shared by weight. */
export interface PoolShares {
  /** Of the projects with waiting work; those that have never used anything are absent. */
  readonly states: readonly ShareState[];
  /** See `GpuPrices`. */
  readonly gpuPrices: Readonly<Record<string, number>>;
}
