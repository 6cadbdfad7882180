import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY, ENOUGH, insertEnded, NOW } from '../testing/ended-run.ts';
import { insertRun } from '../testing/insert.ts';
import { intentRecord } from '../testing/records.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  const open = () => openWorld(tests, { now: () => NOW });

  describe('ended runs', () => {
    it('go with their jobs, intents and reports, and leave nothing behind', async () => {
      const world = await open();
      const { store, projectId } = world;
      const { run, jobs } = await insertEnded(world, 'old', NOW - 10 * DAY, [{}, {}]);
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
      await insertEnded(world, 'second', NOW - 3 * DAY);
      await insertEnded(world, 'first', NOW - 4 * DAY);
      await insertEnded(world, 'young', NOW - DAY);
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
      const { run } = await insertEnded(world, 'wide', NOW - 9 * DAY, Array(5).fill({}));
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
      const { run } = await insertEnded(world, 'again', NOW - 9 * DAY);
      const runs = await store.retention.endedRuns(projectId, NOW, ENOUGH);
      await store.engine.apply([
        { type: 'run.update', id: run.id, version: 0, set: { status: 'pending' } },
      ]);
      expect(await store.retention.deleteRuns(runs, NOW)).toBe(0);
      expect((await store.runs.byId(run.id))?.jobs).toHaveLength(1);
    });
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
