/** Tools about what projects share: quotas, shares, the queue, and which machines get new jobs. */
import { ForbiddenError } from '@dstack/client';
import { describe, expect, it } from 'vitest';
import { connected } from './testing/connected.ts';

const QUOTA = {
  ...{ id: 'q', project_name: 'main', fleet_name: null, user_name: '*', weight: 2 },
  ...{ guaranteed: null, limit: { gpu: 8, cost: 12.5 } },
};
const USE = [
  { resource: 'gpu', user_name: 'ann', used: 3, guaranteed: null, limit: 8 },
  { resource: 'cost', user_name: 'ann', used: 4.25, guaranteed: null, limit: 12.5 },
];
const SHARE = {
  ...{ project_name: 'main', user_name: null, weight: 2, usage: 182.75, rate: 8, ratio: 95.375 },
  next: 'train',
};
const WAITING = {
  ...{
    place: 1,
    run_id: 'r1',
    run: 'train',
    replica: null,
    project: 'main',
    user: 'ann',
    nodes: 2,
  },
  ...{ priority: 5, submitted_at: '2026-11-24T11:00:00Z', since: '2026-11-24T11:50:00Z' },
  ...{ expected_start: '2026-11-24T12:05:00Z', is_about: true, is_reserved: false },
  ...{ places: [{ instance_id: 'i', blocks: 1 }], max_duration: null, why: 'fleet lab is full' },
};
const KEPT_BACK = {
  ...{ run_id: 'r2', run: 'eval', user: 'ann', priority: 0, submitted_at: '2026-11-24T11:00:00Z' },
  ...{ hold: { by: 'ann', since: '2026-11-24T11:00:00Z' }, waits_for: ['train'], is_unmet: false },
};
const INSTANCE = {
  ...{
    name: 'lab-0',
    project_name: 'main',
    status: 'busy',
    health_status: 'healthy',
    unreachable: false,
  },
};

const forbidden = (message: string) =>
  new ForbiddenError(message, {
    ...{ request: 'POST /instances', status: 403, code: null, fields: [], body: null },
    requestId: null,
  });

/** A project whose changes are recorded; `refusal`: what the server answers to each of them. */
function project(
  refusal: Error | null = null,
  quotas: readonly object[] = [{ ...QUOTA, use: USE }],
) {
  const calls: unknown[] = [];
  const change =
    (name: string) =>
    async (...args: unknown[]) => {
      if (refusal) throw refusal;
      calls.push([name, ...args]);
      const [names] = args as [readonly string[]];
      const scheduling = { state: `${name}ed`, by: 'ann', reason: null, until: null };
      return names.map((each) => ({ ...INSTANCE, name: each, scheduling }));
    };
  const connection = {
    client: {
      quotas: {
        list: async (name: string | null) => {
          calls.push(['quotas', name]);
          return quotas;
        },
      },
    },
    project: {
      name: 'main',
      shares: async () => [SHARE, { ...SHARE, project_name: null, next: null }],
      queue: async (limit: number) => {
        calls.push(['queue', limit]);
        return { runs: [WAITING], total: 4, kept_back: [KEPT_BACK], kept_back_total: 1 };
      },
      fleets: { list: async () => [{ instances: [INSTANCE, { ...INSTANCE, name: 'lab-1' }] }] },
      instances: {
        cordon: change('cordon'),
        drain: change('drain'),
        uncordon: change('uncordon'),
      },
    },
  };
  return { connection, calls };
}

describe('list_quotas', () => {
  it('shows of the project what is used, guaranteed and allowed', async () => {
    const { connection, calls } = project();
    const { call } = await connected(connection);
    const { data } = await call('list_quotas');
    expect(calls).toEqual([['quotas', 'main']]);
    expect(data.quotas).toEqual([
      {
        ...{ project: 'main', fleet: null, user: '*', weight: 2, uses_left_out: 0 },
        uses: [
          {
            resource: 'gpu',
            user: 'ann',
            used: 3,
            guaranteed: null,
            limit: 8,
            text: '3 of 8 GPUs',
          },
          {
            ...{ resource: 'cost', user: 'ann', used: 4.25, guaranteed: null, limit: 12.5 },
            text: '$4.25 of $12.50 per hour',
          },
        ],
      },
    ]);
  });

  it('shows what a quota names also before a run has used it', async () => {
    const { call } = await connected(project(null, [{ ...QUOTA, use: [] }]).connection);
    const { data } = await call('list_quotas');
    expect(data.quotas).toMatchObject([
      {
        uses: [
          { resource: 'gpu', used: 0, limit: 8 },
          { resource: 'cost', used: 0, limit: 12.5 },
        ],
      },
    ]);
  });

  it('reports that nothing is limited', async () => {
    const { call } = await connected(project(null, []).connection);
    const { data } = await call('list_quotas');
    expect(data).toMatchObject({ quotas: [], notes: ['No quotas: nothing is limited.'] });
  });
});

it('list_shares names usage, weight, ratio and who is next, but no project of others', async () => {
  const { call } = await connected(project().connection);
  const one = { user: null, weight: 2, usage_gpu_hours: 182.75, gpus_now: 8, ratio: 95.375 };
  expect((await call('list_shares')).data.shares).toEqual([
    { ...one, project: 'main', next_run: 'train' },
    { ...one, project: 'another project', next_run: null },
  ]);
});

it('list_queue shows the runs in their order with expected start, and those in no queue', async () => {
  const { connection, calls } = project();
  const { call } = await connected(connection);
  const { data } = await call('list_queue', { limit: 1 });
  expect(calls).toEqual([['queue', 1]]);
  expect(data).toEqual({
    runs: [
      {
        ...{ place: 1, run: 'train', replica: null, project: 'main', user: 'ann', nodes: 2 },
        ...{ priority: 5, waiting_since: '2026-11-24T11:50:00Z', why: 'fleet lab is full' },
        ...{ expected_start: '2026-11-24T12:05:00Z', is_estimate: true, is_reserved: false },
      },
    ],
    runs_left_out: 3,
    kept_back: [
      {
        ...{ run: 'eval', user: 'ann', held_by: 'ann', waits_for: ['train'] },
        dependency_failed: false,
      },
    ],
    kept_back_left_out: 0,
  });
});

describe('instance_scheduling', () => {
  it.each([
    ['cordon', { reason: 'a fan' }, { reason: 'a fan', until: null, seconds: null }],
    ['cordon', { seconds: 60 }, { reason: null, until: null, seconds: 60 }],
    ['drain', { reason: 'a fan' }, { reason: 'a fan', seconds: 3600 }],
    ['drain', { seconds: 600 }, { reason: null, seconds: 600 }],
  ])('has an instance %s %j once the user has agreed', async (action, more, sent) => {
    const { connection, calls } = project();
    const { call } = await connected(connection);
    const args = { action, instances: ['lab-0', 'lab-1'], ...more };
    const asked = await call('instance_scheduling', args);
    expect(asked.data.next).toContain('lab-0 (busy), lab-1 (busy)');
    expect(asked.text).toContain('call again with confirm: true');
    expect(calls).toEqual([]);
    const { data } = await call('instance_scheduling', { ...args, confirm: true });
    expect(calls).toEqual([[action, ['lab-0', 'lab-1'], sent]]);
    expect(data).toMatchObject({
      changed: true,
      instances: [{ name: 'lab-0', scheduling: `${action}ed by ann` }, { name: 'lab-1' }],
    });
  });

  it('lets instances get jobs again', async () => {
    const { connection, calls } = project();
    const { call } = await connected(connection);
    await call('instance_scheduling', { action: 'uncordon', instances: ['lab-0'], confirm: true });
    expect(calls).toEqual([['uncordon', ['lab-0']]]);
  });

  it.each([{ reason: 'repaired' }, { seconds: 60 }])(
    'refuses %j, which uncordon would ignore',
    async (more) => {
      const { connection, calls } = project();
      const { call } = await connected(connection);
      const args = { action: 'uncordon', instances: ['lab-0'], confirm: true, ...more };
      const { isError, text } = await call('instance_scheduling', args);
      expect([isError, text]).toEqual([true, expect.stringContaining('Leave out reason')]);
      expect(calls).toEqual([]);
    },
  );

  it('does not ask the user in vain about an instance that does not exist', async () => {
    const { call } = await connected(project().connection);
    const { isError, text } = await call('instance_scheduling', {
      ...{ action: 'drain', instances: ['lab-0', 'lab-7'] },
    });
    expect([isError, text]).toEqual([true, expect.stringContaining('no instance lab-7')]);
  });

  it('hands on that the caller may not', async () => {
    const { connection } = project(forbidden('Only admins of main may'));
    const { call } = await connected(connection);
    const args = { action: 'cordon', instances: ['lab-0'], confirm: true };
    const { isError, text } = await call('instance_scheduling', args);
    expect([isError, text]).toEqual([true, expect.stringContaining('Not allowed: Only admins')]);
  });
});
