import { ForbiddenError, ResourceNotExistsError } from '@dstack/client';
import type { Run } from '@dstack/contract/wire';
import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

const answer = { request: '', code: null, fields: [], body: null, requestId: null };

function configured(name: string, env: object, more: Partial<Run> = {}): Run {
  const configuration = { type: 'task', name, commands: ['train'], env };
  return aRun(name, { run_spec: { run_name: name, configuration } as never, ...more });
}

const A = configured('a', { LR: '0.1', SEED: '7' });
const B = configured('b', { LR: '0.2', SEED: '7' }, { project_name: 'research', cost: 3 });

function world(path: string, runs: readonly Run[] = [A, B]) {
  return renderApp(path, {
    listRuns: async () => [...runs],
    project: (project: string) => ({
      runs: {
        get: async (query: { id?: string; run_name?: string }) => {
          if (project === 'secret') {
            throw new ForbiddenError('Access denied', { ...answer, status: 403 });
          }
          const found = runs.find(
            (run) =>
              run.project_name === project &&
              (run.id === query.id || run.run_spec.run_name === query.run_name),
          );
          if (found) return found;
          throw new ResourceNotExistsError('Run not found', { ...answer, status: 400 });
        },
      },
      metrics: { job: async () => ({ metrics: [] }) },
    }),
  });
}

describe('compared runs', () => {
  it('show what differs in their configurations, and all of it if wanted', async () => {
    const app = await world('/compare?runs=main/a,research/b');
    const table = await screen.findByRole('table', { name: 'Configuration' });
    expect(
      within(table)
        .getAllByRole('rowheader')
        .map((one) => one.textContent),
    ).toEqual(['env.LR']);
    within(table).getByText('0.1');
    within(table).getByText('0.2');
    await app.user.click(screen.getByRole('radio', { name: 'All' }));
    await waitFor(() => within(table).getByText('env.SEED'));
    expect(app.path()).toContain('keys=all');
    const figures = screen.getByRole('table', { name: 'Figures' });
    within(figures).getByText('research');
    expect(within(figures).getAllByText('Running')).toHaveLength(2);
  });

  it('are taken away and added, which is in the address', async () => {
    const app = await world('/compare?runs=main/a,research/b', [A, B, aRun('c')]);
    await app.user.click(await screen.findByRole('button', { name: 'Remove b' }));
    await waitFor(() => expect(decodeURIComponent(app.path())).toBe('/compare?runs=main/a'));
    await screen.findByText('One more run');
    await app.user.click(screen.getByRole('combobox', { name: 'Add a run' }));
    await app.user.click(await screen.findByRole('option', { name: /^c/ }));
    await screen.findByRole('button', { name: 'Remove c' });
    expect(decodeURIComponent(app.path())).toContain(`main/a,main/${aRun('c').id}`);
  });

  it('that do not exist or may not be seen are named, and the others shown', async () => {
    const app = await world('/compare?runs=main/a,main/missing,secret/x,nowhere');
    await screen.findByText('main/missing', { exact: false });
    const alerts = screen.getAllByRole('alert').map((one) => one.textContent);
    expect(alerts[0]).toContain('There is no run main/missing. It may have been deleted');
    expect(alerts[1]).toContain('secret/x could not be loaded: Access denied. Your role');
    expect(alerts[2]).toContain('There is no run nowhere');
    await screen.findByRole('table', { name: 'Figures' });
    await app.user.click(screen.getByRole('button', { name: 'Remove main/missing' }));
    await waitFor(() => expect(screen.getAllByRole('alert')).toHaveLength(2));
  });

  it('of a deleted run say so', async () => {
    await world('/compare?runs=main/a,research/b', [A, { ...B, deleted: true }]);
    const figures = await screen.findByRole('table', { name: 'Figures' });
    const row = within(figures).getByRole('row', { name: /Deleted/ });
    expect(row.textContent).toBe('Deleted–yes');
  });

  it('of none, the page explains how they are chosen', async () => {
    await world('/compare');
    await screen.findByText('No runs chosen');
  });
});

it('runs are compared from their list, two to six of them', async () => {
  const runs = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => aRun(name));
  const app = await world('/runs', runs);
  await app.user.click(await screen.findByRole('checkbox', { name: 'Select a' }));
  const button = () => screen.getByRole('button', { name: 'Compare' });
  expect(button().getAttribute('aria-disabled')).toBe('true');
  for (const { run_spec } of runs.slice(1)) {
    await app.user.click(screen.getByRole('checkbox', { name: `Select ${run_spec.run_name}` }));
  }
  expect(button().getAttribute('aria-disabled')).toBe('true');
  await app.user.click(screen.getByRole('checkbox', { name: 'Select g' }));
  expect(button().getAttribute('aria-disabled')).toBeNull();
  await app.user.click(button());
  await screen.findByRole('heading', { level: 1, name: 'Compare runs' });
  await waitFor(() => expect(screen.getAllByRole('button', { name: /^Remove / })).toHaveLength(6));
});
