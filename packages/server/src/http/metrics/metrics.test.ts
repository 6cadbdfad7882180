import { endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let jobId: string;
beforeAll(async () => {
  server = await startTestServer();
  const run_spec = { run_name: 'train', configuration: { type: 'task', commands: ['true'] } };
  const plan = { plan: { run_spec }, force: false };
  const run = await server.call('/api/project/main/runs/apply', plan);
  jobId = run.body.latest_job_submission.id;
});
afterAll(() => server.close());

const get = (query: string) =>
  server.call(`/api/project/main/metrics/job/train${query}`, undefined, { method: 'GET' });

/** One point a second; by then the process has used `cpu` seconds of processor time. */
const point = (second: number, cpu: number) => ({
  timestamp_micro: 1_790_000_000_000_000 + second * 1_000_000,
  cpu_usage_micro: cpu * 1_000_000,
  memory_usage_bytes: 1000 + second,
  memory_working_set_bytes: 900 + second,
  gpus: [],
});

describe('metrics of a job', () => {
  it('are an empty list while there are fewer than two points', async () => {
    expect((await get('')).body).toEqual({ metrics: [] });
  });

  it('are series, newest first, with processor use as the difference of two points', async () => {
    const points = [point(0, 0), point(1, 0.5), point(2, 2.5)];
    await server.store.metrics.addJobPoints(points.map((metrics) => ({ jobId, metrics })));
    const { body } = await get('?limit=1000');
    expect(endpoints['metrics.job'].response.parse(body)).toEqual(body);
    const values = Object.fromEntries(
      body.metrics.map((metric: { name: string; values: number[] }) => [
        metric.name,
        metric.values,
      ]),
    );
    expect(values).toMatchObject({
      cpu_usage_percent: [200, 50],
      memory_usage_bytes: [1002, 1001],
      gpus_detected_num: [0, 0],
    });
    expect(body.metrics[0].timestamps).toEqual(['2026-09-21T14:13:22Z', '2026-09-21T14:13:21Z']);
    expect((await get('')).body.metrics[0].values).toEqual([200]);
  });

  it('of a long time are means of equal steps, oldest first, the same for all jobs', async () => {
    const run = await server.call('/api/project/main/runs/get', { run_name: 'train' });
    const ask = (jobs: readonly number[], more = {}) =>
      server.call('/api/project/main/metrics/history', {
        run_id: run.body.id,
        jobs: jobs.map((job_num) => ({ replica_num: 0, job_num })),
        ...more,
      });
    const later = 100_000;
    const points = Array.from({ length: 5000 }, (_, index) =>
      point(later + index * 10, index % 2 === 0 ? index * 10 : index * 10 - 5),
    );
    await server.store.metrics.addJobPoints(points.map((metrics) => ({ jobId, metrics })));
    const after = '2026-09-22T17:00:00Z';
    const { body } = await ask([0, 0, 7], { after, points: 100 });
    expect(endpoints['metrics.history'].response.parse(body)).toEqual(body);
    expect(body.step_seconds).toBe(600);
    expect(body.jobs).toHaveLength(1);
    const [{ timestamps, metrics }] = body.jobs;
    expect(body.jobs[0].job_submission_id).toBe(jobId);
    expect(timestamps.length).toBeLessThanOrEqual(100);
    expect(timestamps.slice(0, 2)).toEqual(['2026-09-22T18:00:00Z', '2026-09-22T18:10:00Z']);
    const [cpu] = metrics;
    expect(cpu.name).toBe('cpu_usage_percent');
    expect(cpu.values).toHaveLength(timestamps.length);
    // One core, in turns half of it and one and a half.
    for (const value of cpu.values.slice(1, -1)) expect(value).toBeCloseTo(100, -1);
    expect((await ask([7])).body.jobs).toEqual([]);
    expect((await ask([0], { points: 1 })).status).toBe(422);
    expect((await ask(Array.from({ length: 17 }, (_, num) => num))).status).toBe(422);
    const foreign = await server.call('/api/project/main/metrics/history', {
      run_id: jobId,
      jobs: [{ replica_num: 0, job_num: 0 }],
    });
    expect(foreign.body.detail[0].code).toBe('resource_not_exists');
  });

  it('of an unknown job are missing', async () => {
    const answer = await get('?job_num=3');
    expect(answer.body.detail[0]).toEqual({
      msg: 'Found no job with given parameters',
      code: 'resource_not_exists',
    });
  });
});
