import { ForbiddenError, type MetricsHistoryQuery, ResourceNotExistsError } from '@dstack/client';
import type { MetricsHistory, Run } from '@dstack/contract/wire';
import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

vi.mock('uplot', () => import('../../testing/uplot.ts'));

const NOTHING: MetricsHistory = { step_seconds: 20, jobs: [] };

const answer = { request: '', code: null, fields: [], body: null, requestId: null };

function configured(name: string, env: object, more: Partial<Run> = {}): Run {
  const configuration = { type: 'task', name, commands: ['train'], env };
  return aRun(name, { run_spec: { run_name: name, configuration } as never, ...more });
}

const A = configured('a', { LR: '0.1', SEED: '7' });
const B = configured('b', { LR: '0.2', SEED: '7' }, { project_name: 'research', cost: 3 });

function world(
  path: string,
  runs: readonly Run[] = [A, B],
  history: (query: MetricsHistoryQuery) => Promise<MetricsHistory> = async () => NOTHING,
) {
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
      metrics: { history },
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

  it('are drawn with all of their jobs, at most sixteen of each, or the first one', async () => {
    const [job] = A.jobs;
    const jobs = Array.from({ length: 20 }, (_, num) => ({
      ...job!,
      job_spec: { ...job!.job_spec, job_name: `a-${num}-0`, job_num: num },
      job_submissions: job!.job_submissions.map((one) => ({ ...one, id: `submission-${num}` })),
    }));
    const asked: number[] = [];
    const start = Date.parse(job!.job_submissions[0]!.submitted_at);
    const history = async (query: MetricsHistoryQuery) => {
      asked.push(query.jobs.length);
      return {
        step_seconds: 20,
        jobs: query.jobs.map(({ job_num }) => ({
          job_submission_id: query.run_id === A.id ? `submission-${job_num}` : 'b',
          timestamps: [new Date(start).toISOString(), new Date(start + 20_000).toISOString()],
          metrics: [{ name: 'cpu_usage_percent', values: [job_num * 5, job_num * 5] }],
        })),
      };
    };
    const app = await world('/compare?runs=main/a,research/b', [{ ...A, jobs }, B], history);
    await screen.findByText(
      /^a: latest 38 %, .*; a, highest: latest 75 %, .*; a, lowest: latest 0 %/,
    );
    expect(asked.toSorted()).toEqual([1, 16]);
    await screen.findByText(/Only the first 16 jobs of a run are included/);
    await app.user.click(screen.getByRole('radio', { name: 'First job' }));
    await screen.findByText(/^a: latest 0 %, 0 % to 0 %/);
    expect(app.path()).toContain('jobs=first');
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
