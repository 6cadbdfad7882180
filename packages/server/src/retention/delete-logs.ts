/** Deletes logs, and the runs whose logs are deleted. */
import { SECOND, type Timestamp } from '@dstack/core';
import type { StoredLogRef } from '@dstack/store';
import { cutoff, keptInProject } from './policy.ts';
import type { StepDeps } from './step.ts';

/** Until a log that could not be deleted is tried again (µs). */
const POSTPONED = 3600 * SECOND;

/** A step ends after this time, whatever it was asked for: a disk may need that long for each file. */
const STEP_MS = 300;

/** Logs of runs that a user has deleted, and those that could not be deleted before. */
export async function deletePendingLogs(
  deps: StepDeps,
  limit: number,
  now: Timestamp,
): Promise<number> {
  const { retention } = deps.store;
  const places = await retention.pendingLogs(now, limit);
  const { tried, failed } = await deleteLogs(deps, single(places), now);
  const done = places.slice(0, tried).filter((place) => !failed.has(place));
  await retention.deleted(
    'log',
    done.map(({ jobId }) => jobId),
  );
  return tried;
}

export async function deleteOldLogs(
  deps: StepDeps,
  limit: number,
  now: Timestamp,
): Promise<number> {
  const { store, policy } = deps;
  const { retention } = store;
  for (const project of await retention.projects()) {
    const before = cutoff(now, keptInProject(policy, project).logs);
    if (before === null) continue;
    const { projectId, logsDeletedTo } = project;
    const ended = await retention.endedJobs(projectId, logsDeletedTo, before, limit);
    const { tried } = await deleteLogs(deps, single(ended), now);
    const done = ended.slice(0, tried);
    const last = done.at(-1);
    if (last === undefined) continue;
    const jobIds = done.map(({ jobId }) => jobId);
    await retention.logsDeleted(projectId, last, jobIds);
    return tried;
  }
  return 0;
}

/** The logs go first: while the rows are there, a killed server finds the rest again. */
export async function deleteOldRuns(
  deps: StepDeps,
  limit: number,
  now: Timestamp,
): Promise<number> {
  const { store, policy } = deps;
  const { retention } = store;
  for (const project of await retention.projects()) {
    const before = cutoff(now, keptInProject(policy, project).runs);
    if (before === null) continue;
    const runs = await retention.endedRuns(project.projectId, before, { runs: limit, jobs: limit });
    if (runs.length === 0) continue;
    const logs = runs.map((run) => run.logs);
    const { tried } = await deleteLogs(deps, logs, now);
    const count = await retention.deleteRuns(runs.slice(0, tried), before);
    // Runs with work under way stay, and must not keep those of other projects.
    if (count > 0) return count;
  }
  return 0;
}

const single = <T>(places: readonly T[]): readonly (readonly T[])[] => places.map((one) => [one]);

interface Deletion {
  /** Groups, from the first one on. */
  readonly tried: number;
  readonly failed: ReadonlySet<StoredLogRef>;
}

/**
 * Deletes groups of logs until the time of a step is over, one group at least. A log that cannot be deleted
 * is noted before anything else is written, so that it keeps no other log, nor its run, and is tried again.
 * If none can, the storage is at fault.
 */
async function deleteLogs(
  { store: { retention }, logs, log }: StepDeps,
  groups: readonly (readonly StoredLogRef[])[],
  now: Timestamp,
): Promise<Deletion> {
  const failed = new Set<StoredLogRef>();
  const start = performance.now();
  let [tried, count] = [0, 0];
  let reason: unknown = null;
  for (const group of groups) {
    if (tried > 0 && performance.now() - start > STEP_MS) break;
    for (const place of group) {
      count += 1;
      await logs.delete(place).catch((error) => {
        reason = error;
        failed.add(place);
      });
    }
    tried += 1;
  }
  if (failed.size === 0) return { tried, failed };
  if (failed.size === count && count > 1) throw reason;
  await retention.postponeLogs([...failed], now + POSTPONED);
  const jobs = [...failed].map(({ jobId }) => jobId);
  log.warn({ err: reason, jobs }, 'logs could not be deleted; they are tried again in an hour');
  return { tried, failed };
}
