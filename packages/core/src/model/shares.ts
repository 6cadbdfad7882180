/** Fair shares: what projects and their users have used of a pool. */
import type { Id } from './values.ts';

/** The weight of one GPU, by its name in small letters; absent = 1. The cheapest GPU of the pool has the weight 1. */
export type GpuWeights = Readonly<Record<string, number>>;

/** The amount that a claim counts for the shares of its project and user, at the time of the claim. */
export interface ShareCharge {
  /** Millionths of a GPU. */
  readonly rate: number;
  /** By which the rate was computed: it stays the same while prices change. */
  readonly weights: GpuWeights;
}

/** The past and present use of a project by a user. */
export interface ShareState {
  readonly projectId: Id;
  readonly userId: Id;
  /** GPU hours, of which half is forgotten in each half-life, at the time of the read. */
  readonly usage: number;
  /** The rate of the present claims, in millionths of a GPU. */
  readonly rate: number;
}

/** Present in a snapshot if the pool is shared by weight. */
export interface PoolShares {
  /** The shares of the projects with waiting work; those that have never used anything are absent. */
  readonly states: readonly ShareState[];
  /** See `GpuPrices`. */
  readonly gpuPrices: Readonly<Record<string, number>>;
}
