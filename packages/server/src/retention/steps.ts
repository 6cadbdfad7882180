/** The steps of a round of retention, in their order. */

import { ACCOUNT_FACTS, isOldFact } from '@dstack/backends';
import { SECOND, type Timestamp } from '@dstack/core';
import { ENDED_KINDS } from '@dstack/store';
import { deleteBlobs } from './delete-blobs.ts';
import { deleteOldLogs, deleteOldRuns, deletePendingLogs } from './delete-logs.ts';
import { deleteEvents, deleteMetrics } from './delete-own-periods.ts';
import { cutoff, keptInLedger } from './policy.ts';
import type { RetentionStep, StepDeps } from './step.ts';
import { strayIntents } from './stray-intents.ts';

/** Rows per step; a step that takes too long gets fewer the next time. */
const ROWS = 2000;
const FILES = 200;
/** Offers of an account take tens of kilobytes. */
const FACTS = 20;
/** Runs with all that belongs to them: their rows are many. */
const RUNS = 50;

/** Unused pages per step: 4 MiB. */
const PAGES = 1024;

const DAY = 86_400 * SECOND;

export function retentionSteps(deps: StepDeps): readonly RetentionStep[] {
  const { store, policy } = deps;
  const { retention } = store;
  const always = kind('never');
  const known = kind('clock');
  const paused = kind('upgrade');
  return [
    always('logs of deleted runs', FILES, (limit, now) => deletePendingLogs(deps, limit, now)),
    paused('logs', FILES, (limit, now) => deleteOldLogs(deps, limit, now)),
    paused('runs', RUNS, (limit, now) => deleteOldRuns(deps, limit, now)),
    always('uses of uploads', FILES, (limit) => retention.noteUploads(limit)),
    paused(
      'uploads',
      FILES,
      older(policy.uploads, (before, limit) => retention.deleteUploads(before, limit)),
    ),
    known('blobs', FILES, (limit, now) => deleteBlobs(deps, limit, now)),
    known('metrics', ROWS, deleteMetrics(deps)),
    known('events', ROWS, deleteEvents(deps)),
    known(
      'health checks',
      ROWS,
      older(policy.health, (before, limit) =>
        store.instances.deleteHealthChecksBefore(before, limit),
      ),
    ),
    // In the order of their references.
    ...ENDED_KINDS.map((ended) =>
      paused(
        `${ended}s`,
        FILES,
        older(policy.records, (before, limit) => retention.deleteEnded(ended, before, limit)),
      ),
    ),
    paused(
      'usage',
      ROWS,
      older(policy.usage, (before, limit) =>
        retention.deleteUsage(Math.floor(before / DAY), limit),
      ),
    ),
    ...(['parts', 'days'] as const).map((what) =>
      paused(`ledger ${what}`, ROWS, async (limit, now) => {
        const kept = keptInLedger(policy, what, await retention.projects());
        const before = cutoff(now, kept);
        return before === null
          ? 0
          : await retention.deleteLedger(what, Math.floor(before / DAY), limit);
      }),
    ),
    paused(
      'retired tokens',
      ROWS,
      older(policy.records, (before, limit) => retention.deleteRetiredTokens(before, limit)),
    ),
    paused('intents without a subject', ROWS, strayIntents(deps)),
    known('facts about accounts', FACTS, oldFacts(deps)),
    paused('logs without a job', FILES, (limit, now) => deps.strays.deleteNext(limit, now)),
    always('unused pages', PAGES, (limit) => retention.releasePages(limit)),
  ];
}

const kind =
  (pauses: RetentionStep['pauses']) =>
  (name: string, most: number, run: RetentionStep['run']): RetentionStep => ({
    ...{ name, most, run, pauses },
  });

const older =
  (
    seconds: number | null,
    work: (before: Timestamp, limit: number) => Promise<number>,
  ): RetentionStep['run'] =>
  async (limit, now) => {
    const before = cutoff(now, seconds);
    return before === null ? 0 : await work(before, limit);
  };

/** Once a day over all facts, kind by kind. */
function oldFacts({ store }: StepDeps): RetentionStep['run'] {
  let [kinds, position]: [readonly (typeof ACCOUNT_FACTS)[number][], string] = [ACCOUNT_FACTS, ''];
  let restsUntil = 0;
  return async (limit, now) => {
    if (now < restsUntil && restsUntil <= now + DAY) return 0;
    const [kind, ...others] = kinds;
    if (kind === undefined) {
      kinds = ACCOUNT_FACTS;
      restsUntil = now + DAY;
      return 0;
    }
    const isOld = (key: string, value: string) => isOldFact(key, value, now);
    const { next } = await store.retention.deleteOldFacts(kind, position, isOld, limit);
    position = next ?? '';
    if (next === null) kinds = others;
    return limit;
  };
}
