import { SECOND, type Timestamp } from '@dstack/core';
import type { MetricCutoffs, RetentionOfProject } from '@dstack/store';

/** How long each kind is kept after its end, in seconds; null = for ever. */
export interface RetentionPolicy {
  readonly runs: number | null;
  /** Not longer than the runs. */
  readonly logs: number | null;
  /** Since the last run that named it was deleted. */
  readonly uploads: number | null;
  /** Deleted instances, fleets, volumes and gateways. */
  readonly records: number | null;
  /** Requests and tokens of models, per day. */
  readonly usage: number | null;
  readonly events: number;
  readonly health: number;
  readonly metrics: {
    readonly running: number;
    readonly finished: number;
    readonly minutes: number;
    readonly hours: number;
  };
}

/** The time before which something must have ended to be deleted; null = nothing is. */
export function cutoff(now: Timestamp, seconds: number | null): Timestamp | null {
  return seconds === null ? null : now - seconds * SECOND;
}

/** What holds in a project; null = for ever. */
export function keptInProject(
  policy: Pick<RetentionPolicy, 'runs' | 'logs'>,
  own: RetentionOfProject,
): { readonly runs: number | null; readonly logs: number | null } {
  const runs = own.runsSeconds ?? policy.runs;
  const logs = own.logsSeconds ?? policy.logs;
  return { runs, logs: logs === null || (runs !== null && runs < logs) ? runs : logs };
}

export function metricCutoffs(now: Timestamp, { metrics }: RetentionPolicy): MetricCutoffs {
  const before = (seconds: number) => now - seconds * SECOND;
  const minutes = before(metrics.minutes);
  return {
    running: before(metrics.running),
    finished: before(metrics.finished),
    minutes,
    hours: Math.min(minutes, before(metrics.hours)),
  };
}
