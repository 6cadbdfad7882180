/** Times that are paid for: in each, a machine, or a share of one, had one price. */
import type { Id, Timestamp } from './values.ts';

/**
 * A time in which an instance existed, or a job held a part of it, at one price. It is stored when it ends: when the
 * job leaves, the machine ends, or its price changes. What has not ended yet follows from the records of jobs and instances.
 */
export interface PricedInterval {
  /** The job, or the instance itself. */
  readonly subjectId: Id;
  /** Null: the whole machine, with and without jobs. */
  readonly run: IntervalRun | null;
  /** The project of the run, or of the instance. */
  readonly projectId: Id;
  readonly fleetId: Id;
  /** Fleets may be deleted before what was paid for them. */
  readonly fleetName: string;
  readonly instanceId: Id;
  /** Micro-dollars per hour for the whole machine; null = it is not known. */
  readonly price: number | null;
  readonly blocks: number;
  readonly totalBlocks: number;
  /** Number of GPUs of the whole machine, and their name; '' = it has none. */
  readonly gpus: number;
  readonly gpu: string;
  readonly since: Timestamp;
  readonly until: Timestamp;
}

/** The run at the time: it may be deleted before what was paid for it. */
export interface IntervalRun {
  readonly id: Id;
  readonly name: string;
  readonly userId: Id;
  readonly tags: Readonly<Record<string, string>>;
}

/** The amounts of an interval, or of a part of it. */
export interface LedgerAmounts {
  /** Milliseconds of the machine, or of the job. */
  readonly ms: number;
  /** The same for each GPU, or part of one, that belongs to it. */
  readonly gpuMs: number;
  /** Micro-dollars, where the price was known. */
  readonly cost: number;
  /** Milliseconds without a known price. */
  readonly unpricedMs: number;
}
