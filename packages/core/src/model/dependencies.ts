import type { DependencyCondition } from '@dstack/contract';
import type { Id } from './values.ts';

/** How a run ended, or an execution of one with a schedule. Stopped runs have failed. */
export type EndOutcome = 'success' | 'failure';

/** A run that has to end before another one starts. Known by its id: a later run of its name is another. */
export interface DependencyRecord {
  readonly upstreamId: Id;
  /** Name of that run. */
  readonly name: string;
  readonly on: DependencyCondition;
  /** If it can no longer come true, the run waits instead of failing. */
  readonly keep: boolean;
  /** Copied when that run ends, so that it may be deleted; null = it has not ended. */
  readonly outcome: EndOutcome | null;
}

/** `open`: the run waits. `met`: nothing keeps it from the queue. `unmet`: that can no longer become true. */
export type DependencyState = 'open' | 'met' | 'unmet';
