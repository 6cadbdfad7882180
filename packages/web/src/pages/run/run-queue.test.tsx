import type { Run } from '@dstack/contract/wire';
import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

async function world(...runs: readonly Run[]) {
  const calls: unknown[] = [];
  const record =
    (name: string) =>
    async (...args: unknown[]) =>
      void calls.push([name, ...args]);
  const [first] = runs;
  const app = await renderApp(`/projects/main/runs/${first?.run_spec.run_name}`, {
    project: () => ({
      explain: async () => Promise.reject(new Error('none')),
      runs: {
        get: async ({ run_name }: { run_name: string }) =>
          runs.find(({ run_spec }) => run_spec.run_name === run_name) ??
          Promise.reject(new Error()),
        hold: record('hold'),
        release: record('release'),
        setPriority: record('priority'),
      },
      logs: { stream: async function* () {} },
    }),
  });
  return { user: app.user, path: app.path, calls };
}

const waiting = { status: 'submitted', status_message: 'submitted' } as const;
const after = (name: string, ...depends: { run: string; on: string }[]): Partial<Run> =>
  ({
    ...{ status: 'pending', status_message: 'dependency', jobs: [], latest_job_submission: null },
    run_spec: {
      run_name: name,
      configuration: { type: 'task', depends_on: depends.map((one) => ({ keep: false, ...one })) },
    },
  }) as unknown as Partial<Run>;

it('a waiting run is held from its menu', async () => {
  const { user, calls } = await world(aRun('train', waiting));
  await user.click(await screen.findByRole('button', { name: 'More actions' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Hold' }));
  await waitFor(() => expect(calls).toEqual([['hold', ['train']]]));
});

it('a held run names who holds it, and is released there', async () => {
  const hold = { by: 'ben', since: '2026-11-26T12:00:00Z' };
  const { user, calls } = await world(aRun('train', { ...waiting, hold }));
  const text = await screen.findByText(/It joins the queue once it is released/);
  expect(text.textContent).toContain('Held by ben');
  await user.click(screen.getByRole('button', { name: 'Release' }));
  await waitFor(() => expect(calls).toEqual([['release', ['train']]]));
});

it('the priority of a run that has not ended is changed in place', async () => {
  const { user, calls } = await world(aRun('train', waiting));
  await user.click(await screen.findByRole('button', { name: 'Priority of train: 0. Change' }));
  await user.keyboard('30{Enter}');
  await waitFor(() => expect(calls).toEqual([['priority', 'train', 30]]));
});

it('a run that has ended can be neither held nor given a priority', async () => {
  const { user } = await world(aRun('train', { status: 'done', status_message: 'done' }));
  await user.click(await screen.findByRole('button', { name: 'More actions' }));
  await screen.findByRole('menuitem', { name: 'Abort' });
  expect(screen.queryByRole('menuitem', { name: 'Hold' })).toBeNull();
  expect(screen.queryByRole('button', { name: /^Priority of/ })).toBeNull();
});

it('a job that has to leave its instance has the reason and the end', async () => {
  const run = aRun('train');
  const [job] = run.jobs;
  const notice = {
    message: 'instance lab-0 is drained',
    interrupt_at: new Date(Date.now() + 30_500).toISOString(),
    ends_at: new Date(Date.now() + 60_500).toISOString(),
  };
  const submission = { ...job?.job_submissions[0], notice };
  await world({ ...run, jobs: [{ ...job, job_submissions: [submission] }] } as unknown as Run);
  const text = await screen.findByText(/The job has to leave: instance lab-0 is drained/);
  expect(text.textContent).toMatch(/Ctrl-C in \d+ s, the end in (1 min|\d+ s); then it is/);
});

it('shows the chain of runs that it waits for, with their statuses and links', async () => {
  const train = aRun('train', after('train', { run: 'prepare', on: 'success' }));
  const report = aRun(
    'report',
    after('report', { run: 'train', on: 'success' }, { run: 'lint', on: 'end' }),
  );
  const lint = aRun('lint', { status: 'failed', status_message: 'failed' });
  await world(report, train, lint, aRun('prepare'));
  const panel = await screen.findByRole('region', { name: 'Depends on' });
  const prepare = await within(panel).findByRole('link', { name: 'prepare' });
  expect(prepare.getAttribute('href')).toBe('/projects/main/runs/prepare');
  const inner = prepare.closest('ul') as HTMLElement;
  within(inner.parentElement as HTMLElement).getByRole('link', { name: 'train' });
  within(inner).getByText('Running');
  within(panel).getByText('has to end, and has');
});

it('marks a dependency that cannot come true any more, and a name that another run has now', async () => {
  const report = aRun(
    'report',
    after('report', { run: 'lint', on: 'success' }, { run: 'old', on: 'success' }),
  );
  const lint = aRun('lint', { status: 'failed', status_message: 'failed' });
  const old = aRun('old', { submitted_at: '2026-11-27T00:00:00Z', status: 'done' });
  await world(report, lint, old);
  const panel = await screen.findByRole('region', { name: 'Depends on' });
  await within(panel).findByText('has to be done, and has not');
  const later = await within(panel).findByText('has to be done, and a later run has this name now');
  // The status of the later run is not that of the dependency.
  expect(later.closest('li')?.textContent).toBe(`old${later.textContent}`);
});
