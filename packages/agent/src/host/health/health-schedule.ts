/**
 * The schedule of each check of the host, and the result of its last runs. Times are milliseconds.
 */
import { type CheckFinding, shortened } from './check.ts';

export interface CheckState {
  readonly dueAt: number;
  /** When its last run ended; null = it has not run yet. */
  readonly ranAt: number | null;
  /** Between that run and the next. */
  readonly delay: number;
  /** Consecutive runs that could not be carried out. */
  readonly incomplete: number;
  /** Null: the check does not apply to this host, or has not run yet. */
  readonly finding: CheckFinding | null;
}

export type CheckOutcome =
  | { readonly kind: 'complete'; readonly finding: CheckFinding | null }
  | { readonly kind: 'incomplete'; readonly problem: string };

/**
 * The share of time that runs may take: a slower check runs less often in proportion. With a period
 * of one minute, checks thus use less than a thousandth of one CPU.
 */
const CHEAP_MS = 60;
const MAX_STRETCH = 30;

/** After this many runs that could not be carried out, jobs would probably fail as well. */
const INCOMPLETE_IS_FAILURE = 3;

export function firstState(now: number): CheckState {
  return { dueAt: now, ranAt: null, delay: 0, incomplete: 0, finding: null };
}

export function afterRun(
  state: CheckState,
  outcome: CheckOutcome,
  run: { readonly endedAt: number; readonly tookMs: number; readonly periodMs: number },
): CheckState {
  const { endedAt, tookMs, periodMs } = run;
  const longest = periodMs * MAX_STRETCH;
  if (outcome.kind === 'complete') {
    const delay = Math.min(longest, periodMs * Math.max(1, tookMs / CHEAP_MS));
    const { finding } = outcome;
    return { dueAt: endedAt + delay, ranAt: endedAt, delay, incomplete: 0, finding };
  }
  const incomplete = state.incomplete + 1;
  const delay = incomplete === 1 ? periodMs : Math.min(longest, state.delay * 2);
  const status = incomplete < INCOMPLETE_IS_FAILURE ? 'warning' : 'failure';
  const message = shortened(`the check could not be carried out: ${outcome.problem}`);
  const finding = { status, message } as const;
  return { dueAt: endedAt + delay, ranAt: endedAt, delay, incomplete, finding };
}

/** The next run is due now, but not within one period of the last. */
export function hurried(state: CheckState, now: number, periodMs: number): CheckState {
  const soonest = state.ranAt === null ? now : Math.max(now, state.ranAt + periodMs);
  return { ...state, dueAt: Math.min(state.dueAt, soonest) };
}
