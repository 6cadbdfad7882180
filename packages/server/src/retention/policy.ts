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
  /** The costs of each job and machine; at least as long as the runs. Their sums by day: see `keptInLedger`. */
  readonly ledger: number | null;
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

/**
 * How long entries of the ledger are kept, in seconds; null = for ever. For all projects as long as the one of `projects`
 * that keeps its runs for the longest time: a run is shown with what it has cost.
 */
export function keptInLedger(
  { runs, ledger, usage }: Pick<RetentionPolicy, 'runs' | 'ledger' | 'usage'>,
  what: 'parts' | 'days',
  projects: readonly Pick<RetentionOfProject, 'runsSeconds'>[],
): number | null {
  const ofRuns = projects.reduce((most, own) => longest(most, own.runsSeconds ?? runs), runs);
  const parts = longest(ledger, ofRuns);
  return what === 'parts' ? parts : longest(usage, parts);
}

const longest = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? null : Math.max(a, b);

/** The kinds that a project may keep for a time of its own, in seconds; null = for ever. */
export interface KeptInProject {
  readonly runs: number | null;
  /** Not longer than the runs. */
  readonly logs: number | null;
  readonly events: number | null;
  /** Means of hours. Not longer than the runs. */
  readonly metrics: number | null;
}

/** How long a project keeps its records, by its own times and those of the server. */
export function keptInProject(policy: RetentionPolicy, own: RetentionOfProject): KeptInProject {
  const server = keptByServer(policy);
  const runs = own.runsSeconds ?? server.runs;
  const withRuns = (seconds: number | null) =>
    seconds === null || (runs !== null && runs < seconds) ? runs : seconds;
  return {
    runs,
    logs: withRuns(own.logsSeconds ?? server.logs),
    events: own.eventsSeconds ?? server.events,
    metrics: withRuns(own.metricsSeconds ?? server.metrics),
  };
}

/** The times of the server that a project may replace with its own. */
export function keptByServer({ runs, logs, events, metrics }: RetentionPolicy): KeptInProject {
  return { runs, logs, events, metrics: metrics.hours };
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
