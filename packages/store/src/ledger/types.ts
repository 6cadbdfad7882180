import type { CostGroup } from '@dstack/contract/wire';
import type { Id, LedgerAmounts, Timestamp } from '@dstack/core';

export interface LedgerQuestion {
  /** Null = all. */
  readonly projectIds: readonly Id[] | null;
  readonly since: Timestamp;
  readonly until: Timestamp;
  /** Jobs and machines that have not ended cost up to this moment. */
  readonly now: Timestamp;
  readonly by: CostGroup;
  /** The key of the tag by whose values it is grouped. */
  readonly tag?: string | null;
}

/** The fields that rows are not grouped by are null. */
export interface LedgerRow {
  readonly runName: string | null;
  readonly projectName: string | null;
  readonly userName: string | null;
  readonly fleetName: string | null;
  /** '' = machines without GPUs. */
  readonly gpu: string | null;
  /** '' = runs without the tag. */
  readonly tag: string | null;
  /** Days since the epoch, UTC. */
  readonly day: number | null;
  /** By jobs of the projects. */
  readonly used: LedgerAmounts;
  /** Machines of the projects while no job held them; nothing where rows are of runs, users or tags. */
  readonly idle: LedgerAmounts;
}

export interface LedgerReport {
  readonly rows: readonly LedgerRow[];
  readonly used: LedgerAmounts;
  readonly idle: LedgerAmounts;
}

/** The costs of jobs and machines. The engine writes them with the changes that end or reprice something. */
export interface Ledger {
  report(question: LedgerQuestion): Promise<LedgerReport>;
}
