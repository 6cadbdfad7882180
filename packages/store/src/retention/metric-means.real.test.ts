import { SECOND } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR, NOW } from '../testing/ended-run.ts';
import { insertRun } from '../testing/insert.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';
import type { MetricCutoffs } from './types.ts';

forEachStore((tests) => {
  const open = () => openWorld(tests, { now: () => NOW });

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
      await world.store.retention.deleteMeans(at + HOUR, { projectIds: [], after: 0 }, 9);
      expect(await metrics.jobPoints(jobId, {})).toEqual([hours[0]]);
    });
  });
});
