/** Events and metrics, which a project may keep for a time of its own. */
import { SECOND, type Timestamp } from '@dstack/core';
import type { Except, RetainedProject, Swept } from '@dstack/store';
import { cutoff, metricCutoffs } from './policy.ts';
import type { RetentionStep, StepDeps } from './step.ts';

type Run = RetentionStep['run'];

/** Rows that a project keeps for longer are looked at again after this time (µs). */
const AGAIN = 86_400 * SECOND;

export function deleteEvents({ store: { retention }, policy }: StepDeps): Run {
  const sweep = sweepWithout((before, except, limit) =>
    retention.deleteEvents(before, except, limit),
  );
  return async (limit, now) => {
    const projects = await retention.projects();
    const before = cutoff(now, policy.events) ?? 0;
    const own = ownPeriods(projects, now, (project) => project.eventsSeconds);
    for (const { project, until } of own) {
      const count = await retention.deleteEventsOf(project.projectId, until, limit);
      if (count > 0) return count;
    }
    return await sweep({ before, now, limit, longer: longerThan(before, own) });
  };
}

export function deleteMetrics({ store: { retention }, policy }: StepDeps): Run {
  const sweep = sweepWithout((before, except, limit) =>
    retention.deleteMeans(before, except, limit),
  );
  return async (limit, now) => {
    const projects = await retention.projects();
    const cutoffs = metricCutoffs(now, policy);
    const own = ownPeriods(projects, now, (project) => project.metricsSeconds);
    for (const { project, until } of own) {
      const count = await retention.deleteMetrics(project, until, limit);
      if (count > 0) return count;
    }
    const hours = Math.min(cutoffs.hours, ...own.map(({ until }) => until));
    const condensed = await retention.condenseMetrics({ ...cutoffs, hours }, limit);
    if (condensed > 0) return condensed;
    const longer = longerThan(cutoffs.hours, own);
    return await sweep({ before: cutoffs.hours, now, limit, longer });
  };
}

interface OwnPeriod {
  readonly project: RetainedProject;
  /** Older records are deleted. */
  readonly until: Timestamp;
}

function ownPeriods(
  projects: readonly RetainedProject[],
  now: Timestamp,
  secondsOf: (project: RetainedProject) => number | null,
): readonly OwnPeriod[] {
  return projects.flatMap((project) => {
    const until = cutoff(now, secondsOf(project));
    return until === null ? [] : [{ project, until }];
  });
}

const longerThan = (before: Timestamp, own: readonly OwnPeriod[]) =>
  own.filter(({ until }) => until < before).map(({ project }) => project.projectId);

interface Sweep {
  readonly before: Timestamp;
  readonly now: Timestamp;
  readonly limit: number;
  readonly longer: readonly string[];
}

/** Rows that stay, because of some projects, are passed over once a day, not in every step. */
function sweepWithout(
  work: (before: Timestamp, except: Except, limit: number) => Promise<Swept>,
): (sweep: Sweep) => Promise<number> {
  let seen = { of: '', after: 0, from: 0 };
  return async ({ before, now, limit, longer }) => {
    const of = longer.join(' ');
    const isStale = of !== seen.of || Math.abs(now - seen.from) > AGAIN;
    if (isStale || longer.length === 0) seen = { of, after: 0, from: now };
    const swept = await work(before, { projectIds: longer, after: seen.after }, limit);
    seen = { ...seen, after: swept.last };
    return swept.seen;
  };
}
