import type { Run } from '@dstack/contract/wire';
import { act, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

const encode = (text: string) => new TextEncoder().encode(text);

/** Replicas 0 … count-1; `more`: of the latest submission of each. */
function runOf(count: number, more: (replica: number) => object = () => ({})): Run {
  const run = aRun('api');
  const [job] = run.jobs as [Run['jobs'][number]];
  const jobs = Array.from({ length: count }, (_, replica) => ({
    ...job,
    job_spec: { ...job.job_spec, job_name: `api-0-${replica}`, replica_num: replica },
    job_submissions: [{ ...job.job_submissions[0], id: `s${replica}`, ...more(replica) }],
  }));
  return { ...run, jobs } as unknown as Run;
}

const timestamps = ['2026-11-26T12:00:10Z', '2026-11-26T12:00:00Z'];

async function world(path: string, run: Run, share = () => 40) {
  const asked = { metrics: [] as number[], logs: [] as string[] };
  const app = await renderApp(path, {
    project: () => ({
      runs: { get: async () => run },
      explain: async () => Promise.reject(new Error('none')),
      metrics: {
        job: async (_: string, { replica_num }: { replica_num: number }) => {
          asked.metrics.push(replica_num);
          const values = [share(), 10];
          return { metrics: [{ name: 'gpu_util_percent_gpu0', timestamps, values }] };
        },
      },
      logs: {
        stream: async function* ({ job_submission_id: id }: { job_submission_id: string }) {
          asked.logs.push(id);
          const bytes = encode(`first\nlast of ${id}\n\n`);
          yield { bytes, end: bytes.length, times: [{ end: bytes.length, time: 10 }] };
        },
      },
    }),
  });
  return { ...app, asked };
}

const OVERVIEW = '/projects/main/runs/api';

it('of several jobs, each is shown with its use and its last line', async () => {
  await world(OVERVIEW, runOf(2));
  const table = await screen.findByRole('table', { name: 'Jobs' });
  await within(table).findByText('last of s1');
  within(table).getByText('last of s0');
  await within(table).findAllByText('GPU 40 %');
  within(table).getAllByRole('img', {
    name: 'GPU in the last 15 minutes: latest 40 %, 10 % to 40 %',
  });
});

it('new measurements are read when the server reports them, of that job alone', async () => {
  let share = 40;
  const { live, asked } = await world(OVERVIEW, runOf(2), () => share);
  const table = await screen.findByRole('table', { name: 'Jobs' });
  await within(table).findAllByText('GPU 40 %');
  share = 80;
  asked.metrics.length = 0;
  act(() => live.onChange({ type: 'metrics', id: 's1', project: 'main', version: null }));
  await within(table).findByText('GPU 80 %');
  expect(asked.metrics).toEqual([1]);
});

it('jobs that have not begun or have ended have no use, and ask for none', async () => {
  const states = ['done', 'submitted', 'running'];
  const { asked } = await world(
    OVERVIEW,
    runOf(3, (replica) => ({ status: states[replica], status_message: states[replica] })),
  );
  const table = await screen.findByRole('table', { name: 'Jobs' });
  await within(table).findByText('last of s0');
  await within(table).findByText('GPU 40 %');
  expect(asked.metrics).toEqual([2]);
  expect(asked.logs).not.toContain('s1');
});

it('jobs of several deployments are grouped by them', async () => {
  await world(
    OVERVIEW,
    runOf(3, (replica) => ({ deployment_num: replica === 0 ? 0 : 1 })),
  );
  const table = await screen.findByRole('table', { name: 'Jobs' });
  within(table).getByText('Deployment 0');
  within(table).getByText('Deployment 1');
});

it('the logs of chosen jobs are merged, which is in the address', async () => {
  const app = await world(OVERVIEW, runOf(3));
  const { user } = app;
  await user.click(await screen.findByRole('checkbox', { name: 'Select api-0-2' }));
  await user.click(screen.getByRole('checkbox', { name: 'Select api-0-0' }));
  await user.click(screen.getByRole('button', { name: 'Merged logs' }));
  const log = await screen.findByRole('region', { name: 'Output of 2 jobs' });
  await within(log).findByText('last of s2');
  within(log).getByText('last of s0');
  expect(log.textContent).not.toContain('last of s1');
  expect(decodeURIComponent(app.path())).toContain('?job=api-0-0,api-0-2');
  screen.getByText(/6 lines of 2 jobs/);
  await user.click(screen.getByRole('combobox', { name: 'Job' }));
  await user.click(await screen.findByRole('option', { name: /All jobs/ }));
  await screen.findByRole('region', { name: 'Output of all jobs' });
});

it('more jobs than can be merged are refused with the reason', async () => {
  const { user } = await world(OVERVIEW, runOf(33));
  const table = await screen.findByRole('table', { name: 'Jobs' });
  await user.click(within(table).getByRole('checkbox', { name: /all/i }));
  const button = await screen.findByRole('button', { name: 'Merged logs' });
  expect(button.getAttribute('aria-disabled')).toBe('true');
});

it('of one job there is no table', async () => {
  await world(OVERVIEW, runOf(1));
  await screen.findByText('last of s0');
  await waitFor(() => expect(screen.queryByRole('table', { name: 'Jobs' })).toBeNull());
});

it('of very many jobs, only those in view are asked for, a few at a time', async () => {
  const { asked } = await world(OVERVIEW, runOf(100));
  const table = await screen.findByRole('table', { name: 'Jobs' });
  await within(table).findByText('last of s20');
  expect(asked.metrics.length).toBeLessThan(60);
});
