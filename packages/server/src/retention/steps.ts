/** What a round of retention deletes, in its order. */
import { SECOND, type Timestamp } from '@dstack/core';
import { type Blobs, ENDED_KINDS, type Store, type StoredLogRef } from '@dstack/store';
import type { LogStore } from '../logs/log-store.ts';
import { cutoff, keptInProject, metricCutoffs, type RetentionPolicy } from './policy.ts';
import type { StrayLogs } from './stray-logs.ts';

export interface StepDeps {
  readonly store: Store;
  readonly logs: Pick<LogStore, 'delete'>;
  readonly blobs: Pick<Blobs, 'delete'>;
  readonly strays: StrayLogs;
  readonly policy: RetentionPolicy;
  readonly now: () => Timestamp;
}

/** A piece of work of about `limit` rows. Returns how much it has done; 0 = nothing is left. */
export interface RetentionStep {
  readonly name: string;
  /** Whether it waits until the pause after an upgrade has ended. */
  readonly pauses: boolean;
  readonly most: number;
  run(limit: number): Promise<number>;
}

/** Rows per step; a step that takes too long gets fewer the next time. */
const ROWS = 2000;
const FILES = 200;

/** A blob that was uploaded within this time (µs) may not have its row yet. */
const YOUNG_BLOB = 86_400 * SECOND;

/** Unused pages per step: 4 MiB. */
const PAGES = 1024;

const DAY = 86_400 * SECOND;

export function retentionSteps(deps: StepDeps): readonly RetentionStep[] {
  const { store, policy, now } = deps;
  const { retention } = store;
  const step = (name: string, most: number, run: RetentionStep['run']): RetentionStep => ({
    ...{ name, most, run, pauses: false },
  });
  const paused = (one: RetentionStep): RetentionStep => ({ ...one, pauses: true });
  const older = async (
    seconds: number | null,
    work: (before: Timestamp) => Promise<number>,
  ): Promise<number> => {
    const before = cutoff(now(), seconds);
    return before === null ? 0 : await work(before);
  };
  return [
    step('logs of deleted runs', FILES, (limit) => deletePendingLogs(deps, limit)),
    paused(step('logs', FILES, (limit) => deleteOldLogs(deps, limit))),
    paused(step('runs', FILES, (limit) => deleteOldRuns(deps, limit))),
    step('uses of uploads', FILES, (limit) => retention.noteUploads(limit)),
    paused(
      step('uploads', FILES, (limit) =>
        older(policy.uploads, (before) => retention.deleteUploads(before, limit)),
      ),
    ),
    step('blobs', FILES, (limit) => deleteBlobs(deps, limit)),
    step('metrics', ROWS, (limit) =>
      retention.condenseMetrics(metricCutoffs(now(), policy), limit),
    ),
    step('events', ROWS, (limit) =>
      older(policy.events, (before) => store.events.deleteBefore(before, limit)),
    ),
    step('health checks', ROWS, (limit) =>
      older(policy.health, (before) => store.instances.deleteHealthChecksBefore(before, limit)),
    ),
    // In the order of their references.
    ...ENDED_KINDS.map((kind) =>
      paused(
        step(`${kind}s`, FILES, (limit) =>
          older(policy.records, (before) => retention.deleteEnded(kind, before, limit)),
        ),
      ),
    ),
    paused(
      step('usage', ROWS, (limit) =>
        older(policy.usage, (before) => retention.deleteUsage(Math.floor(before / DAY), limit)),
      ),
    ),
    paused(
      step('retired tokens', ROWS, (limit) =>
        older(policy.records, (before) => retention.deleteRetiredTokens(before, limit)),
      ),
    ),
    paused(strayIntents(deps)),
    paused(step('logs without a job', FILES, (limit) => deps.strays.deleteNext(limit))),
    step('unused pages', PAGES, (limit) => retention.releasePages(limit)),
  ];
}

async function deletePendingLogs({ store, logs }: StepDeps, limit: number): Promise<number> {
  const places = await store.retention.pendingLogs(limit);
  await deleteLogs(logs, places);
  await store.retention.deleted(
    'log',
    places.map(({ jobId }) => jobId),
  );
  return places.length;
}

async function deleteLogs(
  logs: Pick<LogStore, 'delete'>,
  places: readonly StoredLogRef[],
): Promise<void> {
  for (const place of places) await logs.delete(place);
}

async function deleteOldLogs(
  { store: { retention }, logs, policy, now }: StepDeps,
  limit: number,
): Promise<number> {
  for (const project of await retention.projects()) {
    const before = cutoff(now(), keptInProject(policy, project).logs);
    if (before === null) continue;
    const { projectId, logsDeletedTo } = project;
    const ended = await retention.endedJobs(projectId, logsDeletedTo, before, limit);
    const last = ended.at(-1);
    if (last === undefined) continue;
    await deleteLogs(logs, ended);
    const jobIds = ended.map(({ jobId }) => jobId);
    await retention.logsDeleted(projectId, last, jobIds);
    return ended.length;
  }
  return 0;
}

/** The logs go first: while the rows are there, a killed server finds the rest again. */
async function deleteOldRuns(
  { store: { retention }, logs, policy, now }: StepDeps,
  limit: number,
): Promise<number> {
  for (const project of await retention.projects()) {
    const before = cutoff(now(), keptInProject(policy, project).runs);
    if (before === null) continue;
    const runs = await retention.endedRuns(project.projectId, before, { runs: limit, jobs: limit });
    if (runs.length === 0) continue;
    await deleteLogs(
      logs,
      runs.flatMap((run) => run.logs),
    );
    const count = await retention.deleteRuns(runs, before);
    // Runs with work under way stay, and must not keep those of other projects.
    if (count > 0) return count;
  }
  return 0;
}

async function deleteBlobs({ store, blobs, now }: StepDeps, limit: number): Promise<number> {
  const due = await store.retention.pendingBlobs(now(), limit);
  const done: string[] = [];
  for (const sha256 of due) {
    const isUsed = await store.retention.isBlobUsed(sha256);
    if (isUsed || (await blobs.delete(sha256, now() - YOUNG_BLOB))) done.push(sha256);
    else await store.retention.postponeBlob(sha256, now() + YOUNG_BLOB);
  }
  await store.retention.deleted('blob', done);
  return due.length;
}

/** One pass over all intents takes many rounds; then it begins again. */
function strayIntents({ store, now }: StepDeps): RetentionStep {
  let position = '';
  let restsUntil = 0;
  return {
    name: 'intents without a subject',
    pauses: true,
    most: ROWS,
    async run(limit) {
      if (now() < restsUntil) return 0;
      const { next } = await store.retention.deleteStrayIntents(position, now() - DAY, limit);
      position = next ?? '';
      if (next === null) restsUntil = now() + DAY;
      return next === null ? 0 : limit;
    },
  };
}
