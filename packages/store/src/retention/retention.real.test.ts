import { randomUUID } from 'node:crypto';
import { type FleetRecord, SECOND } from '@dstack/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { insertRun } from '../testing/insert.ts';
import {
  fleetRecord,
  instanceRecord,
  intentRecord,
  newEvent,
  runRecord,
} from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';
import type { MetricCutoffs } from './types.ts';

const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const NOW = 1_800_000_000 * SECOND;
const START = { finishedAt: 0, jobId: '' };
const ENOUGH = { runs: 100, jobs: 100 };

/** A run that has ended then, with one job that had a machine. */
const ended = (world: World, name: string, at: number, jobs: readonly object[] = [{}]) =>
  insertRun(
    world,
    { name, status: 'done', submittedAt: at, lastProcessedAt: at, nextPassAt: null },
    jobs.map((job, jobNum) => ({
      ...{ jobNum, status: 'done' as const, submittedAt: at, provisionedAt: at, finishedAt: at },
      ...job,
    })),
  );

/** A new fleet is never deleted: the deletion is a change of its own. */
async function insertFleetRow({ store, projectId }: World, fleet: FleetRecord): Promise<void> {
  const { deleted, ...alive } = fleet;
  await store.engine.createFleet({
    ...{ projectId, name: { exact: fleet.name } },
    build: () => ({ fleet: { ...alive, deleted: false }, instances: [] }),
  });
  if (!deleted) return;
  const { id, version } = fleet;
  await store.engine.apply([{ type: 'fleet.update', id, version, set: { deleted: true } }]);
}

const removed = () => newEvent('Run deleted');

forEachStore((tests) => {
  const open = () => openWorld(tests, { now: () => NOW });

  describe('ended runs', () => {
    it('go with their jobs, intents and reports, and leave nothing behind', async () => {
      const world = await open();
      const { store, projectId } = world;
      const { run, jobs } = await ended(world, 'old', NOW - 10 * DAY, [{}, {}]);
      const [jobId = ''] = jobs.map(({ id }) => id);
      await store.engine.apply([
        { type: 'intent.insert', intent: intentRecord(jobId) },
        { type: 'intent.insert', intent: intentRecord(run.id, { key: `x:${run.id}` }) },
      ]);
      await store.reports.saveLogEnd(jobId, 5);
      const due = () => store.retention.endedRuns(projectId, NOW - DAY, ENOUGH);
      // An effect is still to be carried out.
      expect(await due()).toEqual([]);
      await store.engine.finishIntent(`job.start:${jobId}:0`, 'done', { kind: 'ok' }, null);
      await store.engine.finishIntent(`x:${run.id}`, 'failed', null, 'x');
      const runs = await due();
      expect(runs).toMatchObject([{ id: run.id, isWhole: true }]);
      expect(runs[0]?.logs.map((log) => log.jobId).sort()).toEqual(jobs.map(({ id }) => id).sort());
      expect(await store.retention.deleteRuns(runs, NOW - DAY)).toBe(3);
      expect(await store.runs.byId(run.id)).toBeNull();
      expect(await store.jobs.byIds(jobs.map(({ id }) => id))).toEqual([]);
      expect(await store.engine.intent(`job.start:${jobId}:0`)).toBeNull();
      expect(await store.reports.logEnds([jobId])).toEqual([]);
      expect(await due()).toEqual([]);
    });

    it('are those that ended before, in the order of their ends', async () => {
      const world = await open();
      const { store, projectId } = world;
      await ended(world, 'second', NOW - 3 * DAY);
      await ended(world, 'first', NOW - 4 * DAY);
      await ended(world, 'young', NOW - DAY);
      const running = { status: 'running' as const, lastProcessedAt: 1 };
      await insertRun(world, { name: 'active', ...running }, [{ status: 'running' }]);
      const runs = await store.retention.endedRuns(projectId, NOW - 2 * DAY, ENOUGH);
      expect(runs.flatMap((run) => run.logs.map((log) => log.run))).toEqual(['first', 'second']);
      expect(await store.retention.countEndedRuns(projectId, NOW - 2 * DAY, 100)).toBe(2);
      expect(await store.retention.countEndedRuns(projectId, NOW, 1)).toBe(1);
    });

    it('with more jobs than fit into a step go in several', async () => {
      const world = await open();
      const { store, projectId } = world;
      const { run } = await ended(world, 'wide', NOW - 9 * DAY, Array(5).fill({}));
      let steps = 0;
      for (;;) {
        const runs = await store.retention.endedRuns(projectId, NOW, { runs: 9, jobs: 2 });
        if (runs.length === 0) break;
        expect(await store.retention.deleteRuns(runs, NOW)).toBeGreaterThan(0);
        steps++;
      }
      expect(steps).toBe(2);
      expect(await store.runs.byId(run.id)).toBeNull();
    });

    it('that were started again meanwhile stay', async () => {
      const world = await open();
      const { store, projectId } = world;
      const { run } = await ended(world, 'again', NOW - 9 * DAY);
      const runs = await store.retention.endedRuns(projectId, NOW, ENOUGH);
      await store.engine.apply([
        { type: 'run.update', id: run.id, version: 0, set: { status: 'pending' } },
      ]);
      expect(await store.retention.deleteRuns(runs, NOW)).toBe(0);
      expect((await store.runs.byId(run.id))?.jobs).toHaveLength(1);
    });
  });

  describe('logs', () => {
    it('are found by the ends of their jobs, each once', async () => {
      const world = await open();
      const { store, projectId } = world;
      const { jobs } = await ended(world, 'a', NOW - 5 * DAY, [{}, {}, {}]);
      await ended(world, 'b', NOW - DAY);
      const first = await store.retention.endedJobs(projectId, START, NOW - 2 * DAY, 2);
      const cursor = first.at(-1) ?? { ...START };
      await store.retention.logsDeleted(projectId, cursor, []);
      const [project] = await store.retention.projects();
      expect(project?.logsDeletedTo).toMatchObject({ jobId: cursor.jobId });
      const rest = await store.retention.endedJobs(
        projectId,
        project?.logsDeletedTo ?? START,
        NOW - 2 * DAY,
        9,
      );
      const found = [...first, ...rest].map(({ jobId }) => jobId);
      expect(found).toEqual(jobs.map(({ id }) => id).sort());
    });

    it('of deleted runs are requested with the deletion, others are not', async () => {
      const world = await open();
      const { store, projectId } = world;
      const { jobs } = await ended(world, 'gone', NOW, [{}, { provisionedAt: null }]);
      await ended(world, 'kept', NOW);
      await store.runs.delete(projectId, ['gone'], removed);
      const pending = await store.retention.pendingLogs(9);
      expect(pending).toEqual([{ project: 'main', run: 'gone', jobId: jobs[0]?.id }]);
      await store.retention.deleted('log', [pending[0]?.jobId ?? '']);
      expect(await store.retention.pendingLogs(9)).toEqual([]);
    });

    it('of a run that is still active are not requested', async () => {
      const world = await open();
      await insertRun(world, { name: 'busy', status: 'running' }, [
        { status: 'running', provisionedAt: NOW },
      ]);
      const outcome = await world.store.runs.delete(world.projectId, ['busy'], removed);
      expect(outcome).toMatchObject({ type: 'active' });
      expect(await world.store.retention.pendingLogs(9)).toEqual([]);
    });

    it('and intents of superseded submissions go with them', async () => {
      const world = await open();
      const { store } = world;
      const { jobs } = await ended(world, 'crashing', NOW);
      const [job] = jobs;
      if (job === undefined) throw new Error('no job');
      const intent = intentRecord(job.id, { state: 'done', result: { kind: 'ok' } });
      await store.engine.apply([{ type: 'intent.insert', intent }]);
      await store.engine.apply([{ type: 'job.delete', id: job.id, version: 0 }]);
      expect(await store.retention.pendingLogs(9)).toMatchObject([{ jobId: job.id }]);
      expect(await store.engine.intent(intent.key)).toBeNull();
    });

    it('in the database whose jobs have no row are found', async () => {
      const world = await open();
      const { store } = world;
      const { jobs } = await ended(world, 'known', NOW);
      const known = jobs[0]?.id ?? '';
      const lost = [randomUUID(), randomUUID()].sort();
      for (const jobId of [known, ...lost]) {
        for (const seq of [0, 1]) {
          await store.logs.tables.insert({
            ...{ jobId, seq, project: 'main', run: 'x', startOffset: seq, endOffset: seq + 1 },
            ...{ bytes: Buffer.from('x'), marks: Buffer.from('x'), firstEvent: 0, eventCount: 0 },
            ...{ events: Buffer.alloc(0), ended: false },
          });
        }
      }
      const found: string[] = [];
      let after: string | null = '';
      while (after !== null) {
        const part = await store.retention.strayLogs(after, 2);
        found.push(...part.jobIds);
        after = part.next;
      }
      expect(found.sort()).toEqual(lost);
    });
  });

  describe('uploads', () => {
    const archive = (world: World, hash: string, createdAt: number) => ({
      ...{ id: randomUUID(), userId: world.userId, hash, sha256: hash, size: 3, createdAt },
    });

    it('stay while a run names them, and go a time after the last one is deleted', async () => {
      let now = NOW;
      const world = await openWorld(tests, { now: () => now });
      const { store, projectId } = world;
      const used = await store.files.insertArchive(archive(world, 'used', NOW - 900 * DAY));
      const unused = await store.files.insertArchive(archive(world, 'unused', NOW - 900 * DAY));
      await store.engine.apply([]);
      const base = runRecord({ projectId, userId: world.userId });
      const spec = { ...base.spec, file_archives: [{ id: used.id, path: '/x' }] };
      const { run } = await insertRun(
        world,
        { spec, status: 'done', lastProcessedAt: NOW, nextPassAt: null },
        [],
      );
      // `insertArchive` counts as a use.
      now += 100 * DAY;
      const before = () => now - 90 * DAY;
      // It is not known yet what the run names.
      expect(await store.retention.deleteUploads(before(), 9)).toBe(0);
      expect(await store.retention.noteUploads(9)).toBe(1);
      expect(await store.retention.noteUploads(9)).toBe(0);
      await store.retention.deleteUploads(before(), 9);
      expect(await store.files.archivesByIds([used.id, unused.id])).toMatchObject([
        { id: used.id },
      ]);
      expect(await store.retention.pendingBlobs(now, 9)).toEqual(['unused']);
      const runs = await store.retention.endedRuns(projectId, now, ENOUGH);
      expect(runs.map(({ id }) => id)).toEqual([run.id]);
      await store.retention.deleteRuns(runs, now);
      now += 89 * DAY;
      await store.retention.deleteUploads(before(), 9);
      expect(await store.files.archivesByIds([used.id])).toHaveLength(1);
      now += 2 * DAY;
      await store.retention.deleteUploads(before(), 9);
      expect(await store.files.archivesByIds([used.id])).toEqual([]);
    });

    it('that a user asks for are young again, so that a run can still name them', async () => {
      let now = NOW;
      const world = await openWorld(tests, { now: () => now });
      const { store, userId } = world;
      await store.files.insertArchive(archive(world, 'asked', NOW));
      now += 100 * DAY;
      expect(await store.files.archiveByHash(userId, 'asked')).not.toBeNull();
      expect(await store.retention.deleteUploads(now - 90 * DAY, 9)).toBe(0);
    });

    it('share blobs: a blob goes with its last upload, unless it was stored again', async () => {
      let now = NOW;
      const world = await openWorld(tests, { now: () => now });
      const { blobs } = world.store.files;
      await blobs.put('sha', Buffer.from('x'));
      now += 10 * DAY;
      await blobs.put('sha', Buffer.from('x'));
      expect(await blobs.delete('sha', now - DAY)).toBe(false);
      expect(await blobs.has('sha')).toBe(true);
      expect(await blobs.delete('sha', now + 1)).toBe(true);
      expect(await blobs.has('sha')).toBe(false);
      expect(await blobs.delete('sha', now + 1)).toBe(true);
    });
  });

  describe('metrics', () => {
    const point = (at: number, value = 1) => ({
      ...{ timestamp_micro: at, cpu_usage_micro: at, memory_usage_bytes: value },
      memory_working_set_bytes: value,
      gpus: [{ memory_usage_bytes: value, util_percent: value }],
    });
    const cutoffs = (part: Partial<MetricCutoffs> = {}): MetricCutoffs => ({
      ...{ running: NOW - HOUR, finished: NOW - 7 * DAY },
      ...{ minutes: NOW - 7 * DAY, hours: NOW - 90 * DAY, ...part },
    });
    const condense = async (world: World, part?: Partial<MetricCutoffs>, limit = 100) => {
      while ((await world.store.retention.condenseMetrics(cutoffs(part), limit)) > 0);
    };

    it('of a running job become means of minutes after an hour', async () => {
      const world = await open();
      const { metrics } = world.store;
      const { jobs } = await insertRun(world, {}, [
        { status: 'running' },
        { jobNum: 1, status: 'done' },
      ]);
      const [running = '', done = ''] = jobs.map(({ id }) => id);
      const at = NOW - 2 * HOUR;
      const times = Array.from({ length: 30 }, (_, index) => at + index * 10 * SECOND);
      const points = times.map((time, index) => point(time, index % 6));
      const recent = point(NOW - 60 * SECOND);
      await metrics.addJobPoints(
        [...points, recent].flatMap((one) =>
          [running, done].map((jobId) => ({ jobId, metrics: one })),
        ),
      );
      // Less than what is due: a step may end in the middle of a minute.
      await condense(world, {}, 7);
      const means = await metrics.jobPoints(running, {});
      expect(means.map((one) => one.timestamp_micro)).toEqual([
        recent.timestamp_micro,
        ...[4, 3, 2, 1, 0].map((minute) => at + (minute * 60 + 50) * SECOND),
      ]);
      expect(means[1]).toMatchObject({
        memory_usage_bytes: 3,
        gpus: [{ util_percent: 3 }],
        cpu_usage_micro: at + 290 * SECOND,
      });
      expect(await metrics.jobPoints(running, { limit: 2 })).toEqual(means.slice(0, 2));
      expect(await metrics.spreadJobPoints(running, { after: null, most: 999 })).toEqual(means);
      expect(await metrics.jobPoints(done, {})).toHaveLength(31);
    });

    it('become means of hours after a week, and are deleted after three months', async () => {
      const world = await open();
      const { metrics } = world.store;
      const { jobs } = await insertRun(world, {}, [{ status: 'done' }]);
      const [jobId = ''] = jobs.map(({ id }) => id);
      const at = NOW - 7 * DAY - 2 * HOUR;
      const times = Array.from({ length: 72 }, (_, index) => at + index * 100 * SECOND);
      await metrics.addJobPoints(times.map((time) => ({ jobId, metrics: point(time) })));
      await condense(world, { finished: NOW, running: NOW, minutes: NOW - 9 * DAY });
      expect(await metrics.jobPoints(jobId, {})).toHaveLength(72);
      await condense(world);
      const hours = await metrics.jobPoints(jobId, {});
      expect(hours.map((one) => one.timestamp_micro)).toEqual([
        at + 7100 * SECOND,
        at + 3500 * SECOND,
      ]);
      await condense(world, { hours: at + HOUR });
      expect(await metrics.jobPoints(jobId, {})).toEqual([hours[0]]);
    });
  });

  describe('deleted instances and fleets', () => {
    it('go once nothing names them', async () => {
      let now = NOW;
      const world = await openWorld(tests, { now: () => now });
      const { store, projectId } = world;
      const fleet = fleetRecord({ projectId, deleted: true });
      const part = { projectId, fleetId: fleet.id, deleted: true, deletedAt: NOW - 500 * DAY };
      const instance = instanceRecord(part);
      await insertFleetRow(world, fleet);
      await store.engine.apply([{ type: 'instance.insert', instance }]);
      const { run } = await ended(world, 'user', NOW, [{ instanceId: instance.id }]);
      const { retention } = store;
      expect(await retention.deleteEnded('instance', NOW - 365 * DAY, 9)).toBe(0);
      await retention.deleteRuns(await retention.endedRuns(projectId, NOW + 1, ENOUGH), NOW + 1);
      expect(await store.runs.byId(run.id)).toBeNull();
      // The time of its deletion is noted now.
      expect(await retention.deleteEnded('fleet', NOW - 365 * DAY, 9)).toBe(0);
      expect(await retention.deleteEnded('instance', NOW - 365 * DAY, 9)).toBe(1);
      now += 366 * DAY;
      expect(await retention.deleteEnded('fleet', now - 365 * DAY, 9)).toBe(1);
      for (const kind of ['volume', 'gateway', 'group'] as const) {
        expect(await retention.deleteEnded(kind, now, 9)).toBe(0);
      }
    });

    it('that are not deleted stay for ever', async () => {
      const world = await open();
      const { store, projectId } = world;
      const fleet = fleetRecord({ projectId });
      await insertFleetRow(world, fleet);
      expect(await store.retention.deleteEnded('fleet', Number.MAX_SAFE_INTEGER, 9)).toBe(0);
    });
  });

  it('intents whose subject has no row are found, settled ones go', async () => {
    const world = await open();
    const { store } = world;
    const { jobs } = await ended(world, 'known', NOW);
    const settled = { state: 'done', result: { kind: 'ok' } } as const;
    const intents = [
      intentRecord(jobs[0]?.id ?? '', settled),
      intentRecord(randomUUID(), settled),
      intentRecord(randomUUID()),
    ];
    await store.engine.apply(intents.map((intent) => ({ type: 'intent.insert', intent })));
    let after: string | null = '';
    let count = 0;
    while (after !== null) {
      const part: { count: number; next: string | null } = await store.retention.deleteStrayIntents(
        after,
        NOW,
        2,
      );
      count += part.count;
      after = part.next;
    }
    expect(count).toBe(1);
    const left = await Promise.all(intents.map(({ key }) => store.engine.intent(key)));
    expect(left.map((intent) => intent?.key ?? null)).toEqual([
      intents[0]?.key,
      null,
      intents[2]?.key,
    ]);
  });

  it('reports how much each table takes', async () => {
    const world = await open();
    await ended(world, 'one', NOW, [{}, {}]);
    const use = await world.store.retention.use();
    expect(use.bytes).toBeGreaterThan(0);
    const jobs = use.tables.find(({ table }) => table === 'jobs');
    expect(jobs?.bytes).toBeGreaterThan(0);
    if (tests.dialect === 'sqlite') {
      expect(jobs?.rows).toBe(2);
      const sum = use.tables.reduce((total, { bytes }) => total + bytes, 0);
      expect(Math.abs(sum - (use.bytes - (use.freeBytes ?? 0)))).toBeLessThan(100);
    }
  });

  it('gives unused space back in pieces, as many pages as it is asked for', async () => {
    if (tests.dialect !== 'sqlite') return;
    const world = await open();
    const { files, retention } = world.store;
    await files.blobs.put('large', Buffer.alloc(16 * 1024 * 1024, 1));
    await files.blobs.delete('large', NOW + 1);
    const before = await retention.use();
    expect(before).toMatchObject({ shrinks: true });
    expect(await retention.releasePages(500)).toBe(500);
    while ((await retention.releasePages(500)) > 0);
    const after = await retention.use();
    expect(before.bytes - after.bytes).toBeGreaterThan(10_000_000);
  });

  it('whatever has happened, only what is due is deleted, and nothing dangles', async () => {
    const world = await open();
    const { store, projectId } = world;
    const history = fc.array(
      fc.record({
        age: fc.integer({ min: 0, max: 20 }),
        status: fc.constantFrom(
          'done',
          'failed',
          'terminated',
          'running',
          'pending',
          'terminating',
        ),
        jobs: fc.array(
          fc.record({ status: fc.constantFrom('done', 'failed', 'running'), intent: fc.boolean() }),
          { maxLength: 3 },
        ),
        announced: fc.boolean(),
      } as const),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(history, fc.integer({ min: 1, max: 4 }), async (runs, limit) => {
        const before = NOW - 10 * DAY;
        const made = [];
        for (const { age, status, jobs, announced } of runs) {
          const at = NOW - age * DAY;
          const { run, jobs: records } = await insertRun(
            world,
            { name: `r-${randomUUID()}`, status, lastProcessedAt: at, submittedAt: at },
            jobs.map((job, jobNum) => ({ jobNum, status: job.status, provisionedAt: at })),
          );
          for (const [index, { id }] of records.entries()) {
            if (!jobs[index]?.intent) continue;
            const state = announced ? ('announced' as const) : ('done' as const);
            await store.engine.apply([
              { type: 'intent.insert', intent: intentRecord(id, { state }) },
            ]);
          }
          const isBusy =
            jobs.some((job) => job.status === 'running') ||
            (announced && jobs.some((job) => job.intent));
          const isDue = age > 10 && ['done', 'failed', 'terminated'].includes(status) && !isBusy;
          made.push({ run, ids: records.map(({ id }) => id), isDue });
        }
        for (;;) {
          const due = await store.retention.endedRuns(projectId, before, { runs: 9, jobs: limit });
          if ((await store.retention.deleteRuns(due, before)) === 0) break;
        }
        for (const { run, ids, isDue } of made) {
          const view = await store.runs.byId(run.id);
          const jobs = await store.jobs.byIds(ids);
          expect(jobs.length).toBe(isDue ? 0 : ids.length);
          if (!isDue) expect(view?.run.id).toBe(run.id);
          for (const id of ids) {
            const intent = await store.engine.intent(`job.start:${id}:0`);
            if (isDue) expect(intent).toBeNull();
          }
          expect(view === null).toBe(isDue);
        }
      }),
      { numRuns: 25 },
    );
  });
});
