import type { Overview } from '@dstack/contract/wire';
import { act, screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

const NEW: Overview = {
  runs: [],
  instances: { total: 0, in_use: 0, unreachable: 0, price: 0 },
  gpus: [],
  failures: [],
  has_fleets: false,
  has_runs: false,
};

function world(overview: () => Overview, runs = [aRun('train')]) {
  return renderApp('/', {
    listRuns: async () => runs,
    server: { overview: async () => overview(), listEvents: async () => [] },
  });
}

it('shows what runs, what is in use, and why runs failed', async () => {
  const failed = aRun('broken', { status: 'failed', error: 'Container exited\nwith 3' });
  await world(() => ({
    ...NEW,
    runs: [
      { status: 'submitted', count: 2 },
      { status: 'running', count: 1200 },
    ],
    instances: { total: 3, in_use: 2, unreachable: 1, price: 4.5 },
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
  const failures = screen.getByRole('region', { name: 'Last failures' });
  within(failures).getByText('Container exited');
  within(failures).getByRole('link', { name: 'Logs of broken' });
  await within(screen.getByRole('table', { name: 'Active runs' })).findByRole('link', {
    name: 'train',
  });
  expect(screen.queryByText('First steps')).toBeNull();
});

it('teaches the first steps until there are a fleet and a run, and ticks them', async () => {
  let overview = NEW;
  const { live } = await world(() => overview, []);
  await screen.findByText(/dstack project add --name main --url http/);
  screen.getByText('dstack apply -f fleet.dstack.yml');
  expect(screen.queryByText('Active runs')).toBeNull();
  overview = { ...NEW, has_fleets: true };
  act(() => live.onChange({ type: 'fleet', id: 'f', project: 'main', version: 1 }));
  expect(await screen.findAllByText('done')).toHaveLength(2);
  expect(screen.queryByText('dstack apply -f fleet.dstack.yml')).toBeNull();
});
