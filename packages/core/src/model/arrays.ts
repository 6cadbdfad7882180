/** An array: one row beside its run, and members that are runs of their own. */

import type { RunStatus, RunTerminationReason } from './names.ts';
import type { HoldRecord } from './records.ts';
import type { Id, Timestamp } from './values.ts';

/** Number of members by status. Those that are not born yet are in none. */
export type MemberCounts = Readonly<Record<RunStatus, number>>;

/**
 * The state that the array's run requires of its members. Each obeys in its own pass, by the number of the
 * directive, so that the pass of the array writes no member.
 */
export interface ArrayDirective {
  readonly priority: number;
  /**
   * Number of the directive that last changed the priority, 0 = that of the submission. Members that have obeyed
   * it keep a priority of their own.
   */
  readonly prioritySince: number;
  readonly hold: HoldRecord | null;
  /** Since when the array may be in the queue; see `RunRecord.eligibleAt`. */
  readonly eligibleAt: Timestamp | null;
  /** Why they have to end; null = they go on. */
  readonly end: RunTerminationReason | null;
}

export interface ArrayRecord {
  /** The id of the array's run. */
  readonly id: Id;
  /** How many members will have been born at the end. */
  readonly total: number;
  readonly maxParallel: number;
  readonly maxFailures: number;
  /** Position of the next member to be born, in the list of its indexes. Only the array's pass raises it. */
  readonly nextPosition: number;
  /** Number of the present directive; 0 = that of the submission. */
  readonly generation: number;
  readonly directive: ArrayDirective;
  /** Indexes of members that exist before their turn, because they were stopped before their birth. */
  readonly early: readonly number[];
  /** Changed in the transaction that changes a member. */
  readonly members: MemberCounts;
}

/** An array with what its pass needs beside its row. */
export interface ArraySnapshot extends ArrayRecord {
  /** Members that have not obeyed the present directive, a limited number. */
  readonly behind: readonly Id[];
}

/** The changes of an array beside those of its members. `isOpen`: false with the end of its run. */
export type ArrayPatch = Partial<
  Pick<ArrayRecord, 'nextPosition' | 'generation' | 'directive' | 'early'>
> & { readonly isOpen?: false };
