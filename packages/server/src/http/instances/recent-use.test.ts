import { endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertInstances } from '../testing/services.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { useOfInstance } from './recent-use.ts';

const SECOND = 1_000_000;
/** A whole step. */
const START = 1_790_000_010 * SECOND;

/** One point; by then the process has used `cpu` seconds of processor time. */
const point = (second: number, cpu: number, ...gpus: number[]) => ({
  timestamp_micro: START + second * SECOND,
  cpu_usage_micro: cpu * SECOND,
  memory_usage_bytes: 1,
  memory_working_set_bytes: 1,
  gpus: gpus.map((util_percent) => ({ memory_usage_bytes: 1, util_percent })),
});

const machine = (cpus: number, gpus: number) =>
  ({
    id: 'i-1',
    provisioningData: {
      instance_type: { resources: { cpus, gpus: Array.from({ length: gpus }, () => ({})) } },
    },
  }) as unknown as Parameters<typeof useOfInstance>[0];

describe('the recent use of an instance', () => {
  it('is the share of its CPUs that its jobs have used together, in steps of 30 seconds', () => {
    const one = [point(40, 60), point(30, 40), point(10, 20), point(0, 0)];
    const two = [point(20, 10), point(10, 0)];
    const { kind, timestamps, percents } = useOfInstance(
      machine(4, 0),
      [one, two],
      START + 45 * SECOND,
    );
    expect(kind).toBe('cpu');
    expect(timestamps).toEqual(['2026-09-21T14:13:30Z', '2026-09-21T14:14:00Z']);
    // Two cores and one of four; then the mean of one core and two.
    expect(percents).toEqual([75, 37.5]);
  });

  it('is that of its GPUs where it has some, and those without a job count as idle', () => {
    const job = [point(10, 1, 80, 40), point(0, 0, 80, 40)];
    expect(useOfInstance(machine(8, 4), [job], START + 20 * SECOND)).toMatchObject({
      kind: 'gpu',
      percents: [30],
    });
  });

  it('leaves out what the clock of a host dates in the future, and what is too old', () => {
    const job = [point(3600, 9), point(3590, 8), point(10, 1), point(0, 0)];
    const { percents } = useOfInstance(machine(1, 0), [job], START + 20 * SECOND);
    expect(percents).toEqual([10]);
    expect(useOfInstance(machine(1, 0), [job.slice(2)], START + 3600 * SECOND).percents).toEqual(
      [],
    );
  });

  it('never exceeds what there is', () => {
    const job = [point(10, 100), point(0, 0)];
    expect(useOfInstance(machine(2, 0), [job], START + 20 * SECOND).percents).toEqual([100]);
  });
});

describe('the recent use of several instances', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server.close());

  const read = (instance_ids: unknown, token?: string) =>
    server.call(
      '/api/instances/recent_use',
      { instance_ids },
      token === undefined ? {} : { token },
    );

  it('is answered for those that the caller may see, and left out for others', async () => {
    const ids = await insertInstances(server, 2);
    const [instanceId = '', idle = ''] = ids;
    const configuration = { type: 'task', commands: ['true'] };
    const plan = { run_spec: { run_name: 'train', configuration } };
    const run = await server.call('/api/project/main/runs/apply', { plan, force: false });
    const [job] = await server.store.jobs.ofRun(run.body.id);
    const { id: jobId = '', version = 0 } = job ?? {};
    await server.store.engine.apply([
      { type: 'job.update', id: jobId, version, set: { status: 'running', instanceId } },
    ]);
    const at = server.deps.context().now - 60 * SECOND;
    const points = [0, 10].map((second) => ({
      jobId,
      metrics: { ...point(0, second), timestamp_micro: at + second * SECOND },
    }));
    await server.store.metrics.addJobPoints(points);

    const { body, status } = await read([...ids, ids[0], crypto.randomUUID()]);
    expect(status).toBe(200);
    expect(endpoints['instances.recent_use'].response.parse(body)).toEqual(body);
    const byId = new Map(body.map((use: { instance_id: string }) => [use.instance_id, use]));
    expect([...byId.keys()].sort()).toEqual([...ids].sort());
    expect(byId.get(instanceId)).toMatchObject({ timestamps: [expect.any(String)] });
    expect(byId.get(idle)).toMatchObject({ timestamps: [], percents: [] });

    await server.call('/api/users/create', { username: 'ann', global_role: 'user' });
    const { body: ann } = await server.call('/api/users/get_user', { username: 'ann' });
    expect((await read(ids, ann.creds.token)).body).toEqual([]);
    const members = [{ username: 'ann', project_role: 'user' }];
    await server.call('/api/projects/main/add_members', { members });
    expect((await read(ids, ann.creds.token)).body).toHaveLength(2);
  });

  it('is refused for more than a hundred, for what is no id, and for strangers', async () => {
    const many = Array.from({ length: 101 }, () => crypto.randomUUID());
    expect((await read(many)).status).toBe(422);
    expect((await read(['<b>'])).status).toBe(422);
    expect((await read([], 'nobody')).status).toBe(403);
    expect((await read([])).body).toEqual([]);
  });
});
