import type { CostReport, Overview, Run } from '@dstack/contract/wire';
import { act, screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

const NEW: Overview = {
  runs: [],
  instances: { total: 0, in_use: 0, unreachable: 0, price: 0, unpriced: 0 },
  gpus: [],
  failures: [],
  has_fleets: false,
  has_runs: false,
};

const COST = {
  since: '2026-11-20T00:00:00Z',
  until: '2026-11-26T12:00:00Z',
  by: 'day',
  total: 84.5,
  rows: [
    { day: '2026-11-25', cost: 80 },
    { day: '2026-11-26', cost: 4.5 },
  ],
} as unknown as CostReport;

const PLACED = {
  ...{ backend: 'aws', region: 'eu', price: 1, hostname: '192.0.2.1' },
  instance_type: { name: 'g5', resources: { cpus: 4, memory_mib: 1024, gpus: [], spot: false } },
};

/** A failed run; `attempt`: what differs in the last attempt of its job. */
function failedRun(name: string, attempt: object): Run {
  const [job] = aRun(name).jobs;
  const [submission] = job!.job_submissions;
  const last = { ...submission!, ...attempt } as never;
  return aRun(name, { status: 'failed', jobs: [{ ...job!, job_submissions: [last] }] });
}

function world(overview: () => Overview, runs = [aRun('train')], cost = COST) {
  return renderApp('/', {
    listRuns: async () => runs,
    projects: { list: async () => [{ project_id: 'p', project_name: 'main' }] as never },
    project: () => ({
      services: {
        listTraffic: async () => ({
          services: runs.map(({ id }) => ({
            ...{ p50_ms: 8, p95_ms: 40, p99_ms: 1234, rps: 12, in_flight: 0, held: 0 },
            ...{ run_id: id, ready: 1 },
          })),
        }),
      },
    }),
    server: {
      listInstances: async () => [
        {
          ...{ id: 'i1', name: 'gpus-0', fleet_id: 'f1', fleet_name: 'gpus', project_name: 'main' },
          ...{ status: 'idle', unreachable: true, health_status: 'healthy' },
          ...{ total_blocks: 1, busy_blocks: 0 },
        } as never,
      ],
      overview: async () => overview(),
      listEvents: async () => [],
      cost: async () => cost,
    },
  });
}

it('shows what runs, what is in use, and why runs failed', async () => {
  const failed = {
    ...failedRun('broken', { job_provisioning_data: PLACED }),
    error: 'Container exited\nwith 3',
  };
  await world(() => ({
    ...NEW,
    runs: [
      { status: 'submitted', count: 2 },
      { status: 'running', count: 1200 },
    ],
    instances: { total: 3, in_use: 2, unreachable: 1, price: 4.5, unpriced: 0 },
    gpus: [{ name: 'H100', memory_mib: 81_920, total: 8, in_use: 2, unreachable: 1 }],
    failures: [failed],
    has_fleets: true,
    has_runs: true,
  }));
  await screen.findByText('1,200 running, 2 submitted');
  screen.getByText('1,202');
  screen.getByText('2 of 8');
  screen.getByText('5 idle, 1 unreachable');
  screen.getByText('$4.50/h');
  const troubled = await screen.findByRole('region', { name: 'Hosts that need attention' });
  within(troubled).getByText(/does not answer/);
  expect(within(troubled).getByRole('link', { name: 'gpus' }).getAttribute('href')).toBe(
    '/projects/main/fleets/gpus',
  );
  const failures = screen.getByRole('region', { name: 'Last failures' });
  within(failures).getByText('Container exited');
  within(failures).getByRole('link', { name: 'Logs of broken' });
  await within(screen.getByRole('table', { name: 'Active runs' })).findByRole('link', {
    name: 'train',
  });
  expect(screen.queryByText('First steps')).toBeNull();
});

it('shows what the last days have cost, and what the services do', async () => {
  const configuration = { type: 'service', port: 8000 };
  const [job] = aRun('api').jobs;
  const second = { ...job!, job_spec: { ...job!.job_spec, replica_num: 1 } };
  const api = aRun('api', {
    jobs: [job!, second],
    service: { url: '/proxy/services/main/api/', model: null, options: {} } as never,
    run_spec: { run_name: 'api', configuration } as never,
  });
  await world(() => ({ ...NEW, has_fleets: true, has_runs: true }), [api, aRun('train')]);
  await screen.findByText('$84.50');
  screen.getByText('$4.50 today');
  const services = await screen.findByRole('region', { name: 'Services' });
  within(services).getByRole('link', { name: 'api' });
  expect(within(services).queryByText('train')).toBeNull();
  await within(services).findByText('1 of 2 replicas');
  within(services).getByText('12/s');
  within(services).getByText('p95 40 ms');
});

it('shows no cost of instances without a known price as $0', async () => {
  const instances = { total: 2, in_use: 1, unreachable: 0, price: 0, unpriced: 2 };
  const rows = [{ day: '2026-11-26', cost: null, unpriced_hours: 4 }] as never;
  const cost = { ...COST, total: 0, rows };
  await world(() => ({ ...NEW, instances, has_fleets: true, has_runs: true }), [], cost);
  const textOf = (label: string) => screen.getByText(label).parentElement?.textContent;
  await screen.findByText('unknown today');
  expect(textOf('Cost in the last 7 days')).toBe('Cost in the last 7 daysunknownunknown today');
  expect(textOf('Price of all instances')).toMatch(/^Price of all instancesunknown/);
});

it('names the price of some instances as a part if that of others is not known', async () => {
  const instances = { total: 3, in_use: 0, unreachable: 0, price: 4.5, unpriced: 2 };
  await world(() => ({ ...NEW, instances, has_fleets: true, has_runs: true }));
  await screen.findByText('$4.50/h + unknown');
  screen.getByText('$108.00 a day, 2 without a known price');
});

it('leads to the output of failed runs that started, and of no others', async () => {
  const failures = [
    failedRun('placeless', {}),
    failedRun('retried', { submission_num: 1 }),
    failedRun('broken', { job_provisioning_data: PLACED }),
  ];
  await world(() => ({ ...NEW, failures, has_fleets: true, has_runs: true }));
  await screen.findByRole('link', { name: 'placeless' });
  screen.getByRole('link', { name: 'Logs of retried' });
  screen.getByRole('link', { name: 'Logs of broken' });
  expect(screen.queryByRole('link', { name: 'Logs of placeless' })).toBeNull();
});

it('teaches the first steps until there are a fleet and a run, and ticks them', async () => {
  let overview = NEW;
  const { live } = await world(() => overview, []);
  await screen.findByText(/dstack project add --name main --url http/);
  screen.getByText('dstack apply -f fleet.dstack.yml');
  const form = screen.getByRole('link', { name: 'create a fleet here' });
  expect(form.getAttribute('href')).toBe('/projects/main/fleets/add');
  screen.getByRole('link', { name: 'launch a run here' });
  expect(screen.queryByText('Active runs')).toBeNull();
  overview = { ...NEW, has_fleets: true };
  act(() => live.onChange({ type: 'fleet', id: 'f', project: 'main', version: 1 }));
  expect(await screen.findAllByText('done')).toHaveLength(2);
  expect(screen.queryByText('dstack apply -f fleet.dstack.yml')).toBeNull();
});
