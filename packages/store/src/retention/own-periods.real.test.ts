import { randomUUID } from 'node:crypto';
import type { EventTargetRecord } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR, insertEnded, NOW, START } from '../testing/ended-run.ts';
import { insertRun } from '../testing/insert.ts';
import { newEvent, projectRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

const EVERY = { projectIds: [], after: 0 };

async function otherProject({ store, userId }: World): Promise<string> {
  const project = projectRecord(userId, { name: 'other' });
  await store.projects.insert(project);
  return project.id;
}

const about = (projectId: string): EventTargetRecord => ({
  ...{ type: 'run', id: randomUUID(), name: 'x', projectId, parentId: null },
});

const texts = async ({ store }: World) => {
  const page = { limit: 100, ascending: true } as const;
  return (await store.events.list({ visibleTo: null, page })).map(({ message }) => message);
};

const point = (at: number) => ({
  ...{ timestamp_micro: at, cpu_usage_micro: 1, memory_usage_bytes: 1 },
  ...{ memory_working_set_bytes: 1, gpus: [] },
});

forEachStore((tests) => {
  describe('a time of its own for events', () => {
    it('of one project deletes those that name it alone', async () => {
      let now = NOW;
      const world = await openWorld(tests, { now: () => now });
      const { store, projectId } = world;
      const other = await otherProject(world);
      await store.events.write([
        newEvent('own', about(projectId), about(projectId)),
        newEvent('both', about(projectId), about(other)),
        newEvent('other', about(other)),
        newEvent('nobody'),
      ]);
      now += DAY;
      await store.events.write([newEvent('recent', about(projectId))]);
      expect(await store.retention.deleteEventsOf(projectId, NOW + HOUR, 9)).toBe(1);
      expect(await store.retention.deleteEventsOf(projectId, NOW + HOUR, 9)).toBe(0);
      expect(await texts(world)).toEqual(['both', 'other', 'nobody', 'recent']);
    });

    it('keeps those that name a project which keeps them for longer', async () => {
      const world = await openWorld(tests, { now: () => NOW });
      const { store, projectId } = world;
      const other = await otherProject(world);
      await store.events.write([
        newEvent('first', about(projectId)),
        newEvent('kept', about(other)),
        newEvent('both', about(projectId), about(other)),
        newEvent('last', about(projectId)),
      ]);
      let after = 0;
      for (let rounds = 0; ; rounds++) {
        const except = { projectIds: [other], after };
        const { seen, last } = await store.retention.deleteEvents(NOW + HOUR, except, 2);
        if (seen === 0) break;
        expect(rounds).toBeLessThan(3);
        after = last;
      }
      expect(await texts(world)).toEqual(['kept', 'both']);
      const all = await store.retention.deleteEvents(NOW + HOUR, EVERY, 9);
      expect(all.seen).toBe(2);
      expect(await texts(world)).toEqual([]);
    });
  });

  describe('a time of its own for metrics', () => {
    it('deletes those of jobs that ended before, and the older ones of jobs that run', async () => {
      const world = await openWorld(tests, { now: () => NOW });
      const { store, projectId } = world;
      const { metrics, retention } = store;
      const old = await insertEnded(world, 'old', NOW - 9 * DAY);
      const young = await insertEnded(world, 'young', NOW - DAY);
      const running = await insertRun(world, { name: 'running' }, [{ status: 'running' }]);
      const ids = [old, young, running].map(({ jobs }) => jobs[0]?.id ?? '');
      await metrics.addJobPoints(
        ids.flatMap((jobId) =>
          [NOW - 9 * DAY, NOW - HOUR].map((at) => ({ jobId, metrics: point(at) })),
        ),
      );
      await retention.setOfProject(projectId, {
        ...{
          runsSeconds: null,
          logsSeconds: null,
          eventsSeconds: null,
          metricsSeconds: 5 * 86_400,
        },
      });
      for (;;) {
        const [project] = await retention.projects();
        if (project === undefined) throw new Error('no project');
        if ((await retention.deleteMetrics(project, NOW - 5 * DAY, 1)) === 0) break;
      }
      const left = await Promise.all(ids.map((jobId) => metrics.jobPoints(jobId, {})));
      expect(left.map((points) => points.length)).toEqual([0, 2, 1]);
      const [project] = await retention.projects();
      expect(project).toMatchObject({ metricsSeconds: 5 * 86_400, logsDeletedTo: START });
      expect(project?.metricsDeletedTo.jobId).toBe(ids[0]);
    });

    it('keeps means of hours of a project that keeps them for longer', async () => {
      const world = await openWorld(tests, { now: () => NOW });
      const { metrics, retention } = world.store;
      const { jobs } = await insertEnded(world, 'done', NOW - 100 * DAY, [{}, {}]);
      const ids = jobs.map(({ id }) => id);
      const at = NOW - 100 * DAY;
      await metrics.addJobPoints(ids.map((jobId) => ({ jobId, metrics: point(at) })));
      const all = { running: NOW, finished: NOW, minutes: NOW, hours: 0 };
      while ((await retention.condenseMetrics(all, 9)) > 0);
      const except = { projectIds: [world.projectId], after: 0 };
      const before = NOW - 90 * DAY;
      expect((await retention.deleteMeans(before, except, 9)).seen).toBe(2);
      expect(await metrics.jobPoints(ids[0] ?? '', {})).toHaveLength(1);
      expect((await retention.deleteMeans(before, { ...except, after: at }, 9)).seen).toBe(0);
      expect((await retention.deleteMeans(before, EVERY, 9)).seen).toBe(2);
      expect(await metrics.jobPoints(ids[0] ?? '', {})).toEqual([]);
    });
  });
});
