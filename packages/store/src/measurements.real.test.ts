import { expect, it } from 'vitest';
import { insertFleetWithNodes, insertRun } from './testing/insert.ts';
import { forEachStore, openWorld } from './testing/stores.ts';

forEachStore((tests) => {
  it('keeps health checks, newest first, for a time', async () => {
    const world = await openWorld(tests);
    const { instances, hosts } = world.store;
    const { instances: records } = await insertFleetWithNodes(world, { name: 'pool' });
    const instanceId = records[0]!.id;
    const host = {
      connected: true,
      since: 0,
      facts: null,
      executor: null,
      error: null,
      failed: false,
    };
    await hosts.save({ id: 'h', ...host });
    for (const at of [1, 2, 3, 4]) {
      const check = { id: `h${at}`, instanceId, status: 'healthy' as const, response: '{}' };
      const report = { hostId: 'h', checks: [], since: at, reportedAt: at };
      await hosts.saveHealth(report, [{ ...check, collectedAt: at }]);
    }
    const times = async (range: object) =>
      (await instances.healthChecks(instanceId, range)).map((check) => check.collectedAt);
    expect(await times({})).toEqual([4, 3, 2, 1]);
    expect(await times({ after: 1, before: 4 })).toEqual([3, 2]);
    expect(await times({ limit: 1 })).toEqual([4]);
    expect(await instances.deleteHealthChecksBefore(3, 100)).toBe(2);
    expect(await times({})).toEqual([4, 3]);
  });

  it('keeps the last report of the health of a host as long as the host', async () => {
    const { hosts } = (await openWorld(tests)).store;
    const host = {
      connected: true,
      since: 0,
      facts: null,
      executor: null,
      error: null,
      failed: false,
    };
    await hosts.save({ id: 'h', ...host });
    const gpu = { name: 'gpu', status: 'failure', message: '1 of 2 GPUs is lost' } as const;
    await hosts.saveHealth({ hostId: 'h', checks: [], since: 1, reportedAt: 1 }, []);
    await hosts.saveHealth({ hostId: 'h', checks: [gpu], since: 2, reportedAt: 2 }, []);
    expect(await hosts.health('h')).toEqual({
      hostId: 'h',
      checks: [gpu],
      since: 2,
      reportedAt: 2,
    });
    await hosts.delete('h');
    expect(await hosts.health('h')).toBeNull();
  });

  it('keeps metrics points for a time that depends on their job', async () => {
    const world = await openWorld(tests);
    const { metrics } = world.store;
    const { jobs } = await insertRun(world, {}, [
      { status: 'running' },
      { jobNum: 1, status: 'done' },
    ]);
    const [running, done] = jobs.map((job) => job.id);
    const point = (at: number) => ({
      ...{ timestamp_micro: at, cpu_usage_micro: at, memory_usage_bytes: 2 ** 40 },
      ...{ memory_working_set_bytes: 1, gpus: [{ memory_usage_bytes: 1, util_percent: 50 }] },
    });
    const points = [1, 2, 3].flatMap((at) =>
      [running!, done!].map((jobId) => ({ jobId, metrics: point(at) })),
    );
    await metrics.addJobPoints(points);
    await metrics.addJobPoints(points);
    expect(await metrics.jobPoints(running!, { after: 2, before: 3 })).toEqual([point(2)]);
    expect(await metrics.jobPoints(running!, { limit: 2 })).toEqual([point(3), point(2)]);
    expect(await metrics.lastJobPoints([running!, done!])).toEqual(
      new Map([
        [running, point(3)],
        [done, point(3)],
      ]),
    );
    expect(await metrics.spreadJobPoints(running!, { after: 2, most: 9 })).toEqual([
      point(3),
      point(2),
    ]);
  });

  it('reads evenly spread metrics points of a long time', async () => {
    const world = await openWorld(tests);
    const { metrics } = world.store;
    const { jobs } = await insertRun(world, {}, [{ status: 'running' }]);
    const [jobId = ''] = jobs.map((job) => job.id);
    const chosen = async (most: number, after: number | null = null) =>
      (await metrics.spreadJobPoints(jobId, { after, most })).map((one) => one.timestamp_micro);
    expect(await chosen(5)).toEqual([]);
    const times = Array.from({ length: 1001 }, (_, index) => 5000 + index * 10);
    await metrics.addJobPoints(
      times.map((at) => ({
        jobId,
        metrics: {
          ...{ timestamp_micro: at, cpu_usage_micro: at, memory_usage_bytes: 1 },
          ...{ memory_working_set_bytes: 1, gpus: [] },
        },
      })),
    );
    expect(await chosen(5)).toEqual([15_000, 12_500, 10_000, 7500, 5000]);
    expect(await chosen(3, 14_950)).toEqual([14_980, 14_950]);
    expect(await chosen(2000)).toHaveLength(1001);
    expect(await chosen(5, 20_000)).toEqual([]);
  });
});
