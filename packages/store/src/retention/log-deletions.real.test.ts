import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DAY, insertEnded, NOW, START } from '../testing/ended-run.ts';
import { insertRun } from '../testing/insert.ts';
import { intentRecord, newEvent } from '../testing/records.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

const removed = () => newEvent('Run deleted');

forEachStore((tests) => {
  const open = () => openWorld(tests, { now: () => NOW });

  describe('logs', () => {
    it('are found by the ends of their jobs, each once', async () => {
      const world = await open();
      const { store, projectId } = world;
      const { jobs } = await insertEnded(world, 'a', NOW - 5 * DAY, [{}, {}, {}]);
      await insertEnded(world, 'b', NOW - DAY);
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
      const { jobs } = await insertEnded(world, 'gone', NOW, [{}, { provisionedAt: null }]);
      await insertEnded(world, 'kept', NOW);
      await store.runs.delete(projectId, ['gone'], removed);
      const pending = await store.retention.pendingLogs(NOW, 9);
      expect(pending).toEqual([{ project: 'main', run: 'gone', jobId: jobs[0]?.id }]);
      await store.retention.deleted('log', [pending[0]?.jobId ?? '']);
      expect(await store.retention.pendingLogs(NOW, 9)).toEqual([]);
    });

    it('of a run that is still active are not requested', async () => {
      const world = await open();
      await insertRun(world, { name: 'busy', status: 'running' }, [
        { status: 'running', provisionedAt: NOW },
      ]);
      const outcome = await world.store.runs.delete(world.projectId, ['busy'], removed);
      expect(outcome).toMatchObject({ type: 'active' });
      expect(await world.store.retention.pendingLogs(NOW, 9)).toEqual([]);
    });

    it('and intents of superseded submissions go with them', async () => {
      const world = await open();
      const { store } = world;
      const { jobs } = await insertEnded(world, 'crashing', NOW);
      const [job] = jobs;
      if (job === undefined) throw new Error('no job');
      const intent = intentRecord(job.id, { state: 'done', result: { kind: 'ok' } });
      await store.engine.apply([{ type: 'intent.insert', intent }]);
      await store.engine.apply([{ type: 'job.delete', id: job.id, version: 0 }]);
      expect(await store.retention.pendingLogs(NOW, 9)).toMatchObject([{ jobId: job.id }]);
      expect(await store.engine.intent(intent.key)).toBeNull();
    });

    it('in the database whose jobs have no row are found', async () => {
      const world = await open();
      const { store } = world;
      const { jobs } = await insertEnded(world, 'known', NOW);
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
});
