/**
 * Stage 2: the order of the queue. `ORDER` is its only home: passes sort by it, and the store makes
 * its queries and the conditions of positions from it.
 */
import type { Gang, Id, Timestamp } from '../../model/index.ts';
import { eligibleSince } from '../../run-spec/eligible-since.ts';

/** The fields that decide the place of a gang in the queue. */
export interface Rank {
  readonly priority: number;
  /** Since when the run may be in the queue: its submission, or the end of what kept it out. */
  readonly queuedAt: Timestamp;
  readonly runId: Id;
  readonly replicaNum: number;
}

export interface Criterion {
  readonly field: keyof Rank;
  /** Whether greater values come first. */
  readonly isDescending: boolean;
}

/** The first criterion in which two gangs differ decides. The last two make the order total. */
export const ORDER: readonly Criterion[] = [
  { field: 'priority', isDescending: true },
  { field: 'queuedAt', isDescending: false },
  { field: 'runId', isDescending: false },
  { field: 'replicaNum', isDescending: false },
];

/** Negative: `a` comes first. */
export function compareRanks(a: Rank, b: Rank): number {
  for (const { field, isDescending } of ORDER) {
    if (a[field] === b[field]) continue;
    return a[field] < b[field] === isDescending ? 1 : -1;
  }
  return 0;
}

/** By the run itself: a changed priority counts before the jobs have it. */
export function rankOf({ run, jobs }: Gang): Rank {
  return {
    priority: run.priority,
    queuedAt: eligibleSince(run),
    runId: run.id,
    replicaNum: jobs[0]?.replicaNum ?? 0,
  };
}
