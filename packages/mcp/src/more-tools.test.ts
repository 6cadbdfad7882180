import { describe, expect, it } from 'vitest';
import type { PackFiles } from './local-files.ts';
import { connected } from './testing/connected.ts';

const RUN = {
  ...{ id: 'r', project_name: 'main', user: 'ada', status: 'done', cost: 0.5, jobs: [] },
  ...{ submitted_at: '2026-11-24T12:00:00Z', service: null, fleet: null },
  run_spec: { run_name: 'train', configuration: { type: 'task', commands: ['x'] } },
};

const PLAN = {
  ...{ project_name: 'main', user: 'ada', action: 'create', notes: [] },
  ...{ current_resource: null, effective_run_spec: null },
  job_plans: [{ offers: [], total_offers: 0, max_price: null, job_spec: {} }],
};

const VOLUME = {
  ...{ name: 'data', status: 'active', status_message: null, cost: 1.5 },
  configuration: { type: 'volume', backend: 'aws', region: 'eu' },
  provisioning_data: { size_gb: 100 },
  attachments: [{ instance: { name: 'lab-0' } }],
};

/** A project whose changes are recorded. `states`: what watching the run shows, one after the other. */
function project(
  states: readonly string[] = ['done'],
  { price = 1, ...more }: { readonly price?: number | null; readonly run?: object } = {},
) {
  const changes: unknown[] = [];
  const record =
    (name: string, answer: unknown = null) =>
    async (...args: unknown[]) => {
      changes.push([name, ...args]);
      return answer;
    };
  const run = (status = states[0]) => ({ ...RUN, status, ...more.run });
  const value = {
    name: 'main',
    runs: {
      get: async () => run(),
      async *watch(_name: string, signal: AbortSignal) {
        for (const state of states) yield run(state);
        const { promise, reject } = Promise.withResolvers<never>();
        signal.addEventListener('abort', () => reject(signal.reason));
        await promise;
      },
      getPlan: async ({ run_spec }: { readonly run_spec: object }) => ({ ...PLAN, run_spec }),
      apply: async ({ run_spec }: { readonly run_spec: object }) => {
        changes.push(['runs.apply', run_spec]);
        return { ...RUN, status: 'submitted' };
      },
      delete: record('runs.delete'),
    },
    repos: { init: async () => null },
    fleets: {
      get: async () => ({ status: 'active', instances: [1, 2] }),
      delete: record('fleets.delete'),
    },
    volumes: {
      list: async () => [VOLUME],
      get: async () => VOLUME,
      delete: record('volumes.delete'),
    },
    secrets: {
      list: async () => [{ name: 'hf', value: null }],
      set: record('secrets.set', { name: 'hf', value: 'v4lue', notes: ['short'] }),
      delete: record('secrets.delete'),
    },
  };
  const cost = async (query: object) => {
    changes.push(['cost', query]);
    const row = { run_name: 'train', username: 'ada', day: null, project_name: 'main' };
    const rows = [{ ...row, hours: 2, cost: price }];
    return { since: 's', until: 'u', by: 'run', total: price ?? 0, rows };
  };
  return { connection: { client: { server: { cost } }, project: value }, changes };
}

describe('wait_run', () => {
  it('returns when the run has the state, and what to do next', async () => {
    const { call } = await connected(project(['pulling', 'running']).connection);
    const { data } = await call('wait_run', { run: 'train', until: 'running' });
    expect(data).toMatchObject({ reached: true, run: { status: 'running' } });
    const ended = await connected(project(['failed']).connection);
    const { data: end } = await ended.call('wait_run', { run: 'train', until: 'running' });
    expect(end).toMatchObject({ reached: false, next: expect.stringContaining('has ended') });
  });

  it('returns the last state when the time is over', async () => {
    const { call } = await connected(project(['submitted', 'pulling']).connection);
    const { data, isError } = await call('wait_run', { run: 'train', timeout_seconds: 1 });
    expect(isError).toBe(false);
    expect(data).toMatchObject({ reached: false, run: { status: 'pulling' } });
    expect(data.next).toContain('call again');
  });
});

describe('delete', () => {
  it.each([
    ['run', 'train', 'runs.delete', 'done'],
    ['fleet', 'lab', 'fleets.delete', '2 instances'],
    ['volume', 'data', 'volumes.delete', 'active'],
    ['secret', 'hf', 'secrets.delete', 'exists'],
  ])('deletes a %s once the user has agreed', async (kind, name, change, state) => {
    const { connection, changes } = project();
    const { call } = await connected(connection);
    const asked = await call('delete', { kind, name });
    expect([asked.data.deleted, asked.data.next]).toEqual([false, expect.stringContaining(state)]);
    expect(changes).toEqual([]);
    expect((await call('delete', { kind, name, confirm: true })).data.deleted).toBe(true);
    expect(changes).toEqual([[change, [name]]]);
  });

  it('refuses an active run and an unknown secret', async () => {
    const { call } = await connected(project(['running']).connection);
    const run = await call('delete', { kind: 'run', name: 'train', confirm: true });
    expect([run.isError, run.text]).toEqual([true, expect.stringContaining('stop_run')]);
    const secret = await call('delete', { kind: 'secret', name: 'nope', confirm: true });
    expect([secret.isError, secret.text]).toEqual([true, expect.stringContaining('list_secrets')]);
  });
});

describe('secrets', () => {
  it('are listed by name, and set after a confirmation; values are never in an answer', async () => {
    const { connection, changes } = project();
    const { call } = await connected(connection);
    expect((await call('list_secrets')).data).toEqual({ secrets: ['hf'], left_out: 0 });
    const asked = await call('set_secret', { name: 'hf', value: 'v4lue' });
    expect(asked.data.next).toContain('the secret hf would be replaced');
    expect(changes).toEqual([]);
    const done = await call('set_secret', { name: 'hf', value: 'v4lue', confirm: true });
    expect(changes).toEqual([['secrets.set', 'hf', 'v4lue']]);
    expect(done.data).toMatchObject({ set: true, notes: ['short'] });
    expect(asked.text + done.text).not.toContain('v4lue');
  });
});

it('volumes are listed with place, size and users', async () => {
  const { call } = await connected(project().connection);
  expect((await call('list_volumes')).data.volumes).toEqual([
    {
      ...{ name: 'data', status: 'active', status_message: null, backend: 'aws', region: 'eu' },
      ...{ size_gb: 100, attached_to: ['lab-0'], cost_usd: 1.5 },
    },
  ]);
});

it('costs are those of the project', async () => {
  const { connection, changes } = project();
  const { call } = await connected(connection);
  const { data } = await call('get_cost', { by: 'user', since: '2026-11-01T00:00:00Z' });
  expect(data.rows).toEqual([{ name: 'ada', hours: 2, gpu_hours: 0, cost_usd: 1 }]);
  const since = '2026-11-01T00:00:00Z';
  expect(changes).toEqual([['cost', { project_name: 'main', since, until: null, by: 'user' }]]);
});

it('a sum of unknown costs alone is unknown, not 0', async () => {
  const { call } = await connected(project(['done'], { price: null }).connection);
  const { data } = await call('get_cost', {});
  expect([data.total_usd, data.rows]).toEqual([
    null,
    [expect.objectContaining({ cost_usd: null })],
  ]);
});

it('the cost of a run on machines without a price is unknown, not 0', async () => {
  const unpriced = {
    job_provisioning_data: { instance_type: { name: 'own' }, region: 'x', price: 0 },
  };
  const jobs = [{ job_spec: { job_name: 'train-0-0' }, job_submissions: [unpriced] }];
  const { call } = await connected(project(['done'], { run: { cost: 0, jobs } }).connection);
  const { data } = await call('get_run', { run: 'train' });
  expect(data.run).toMatchObject({ cost_usd: null });
});

describe('files of the user', () => {
  const configuration = 'type: task\nname: train\ncommands: [x]\nfiles: [data]\n';
  const archives = [{ id: 'a', path: 'data' }];

  it('are shown in the plan, and uploaded when the user has agreed', async () => {
    let uploads = 0;
    const packFiles: PackFiles = async (files) => ({
      mappings: files.map(({ path }) => ({ local_path: `/home/ada/${path}`, path })),
      known: [],
      upload: async () => {
        uploads += 1;
        return archives;
      },
    });
    const { connection, changes } = project();
    const { call } = await connected(connection, undefined, packFiles);
    expect((await call('plan_run', { configuration })).data.files).toEqual(['/home/ada/data']);
    await call('apply_configuration', { configuration });
    expect([uploads, changes]).toEqual([0, []]);
    await call('apply_configuration', { configuration, confirm: true });
    expect(uploads).toBe(1);
    expect(changes).toMatchObject([
      [
        'runs.apply',
        {
          file_archives: archives,
          configuration: { files: [{ local_path: '/home/ada/data', path: 'data' }] },
        },
      ],
    ]);
  });
});
