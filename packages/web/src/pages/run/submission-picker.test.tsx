import type { Job } from '@dstack/contract/wire';
import { screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

it('lists the newest attempts by their times, and the chosen one', async () => {
  const run = aRun('nightly');
  const [job] = run.jobs as [Job];
  const [first] = job.job_submissions;
  const job_submissions = Array.from({ length: 300 }, (_, submission_num) => ({
    ...first,
    ...{ id: `s${submission_num}`, submission_num, submitted_at: '2025-01-02T03:04:05Z' },
  }));
  const { user, path } = await renderApp('/projects/main/runs/nightly/logs?attempt=7', {
    project: () => ({
      runs: { get: async () => ({ ...run, jobs: [{ ...job, job_submissions }] }) },
      logs: { stream: async function* () {} },
    }),
  });
  await user.click(await screen.findByRole('combobox', { name: 'Attempt' }));
  const options = await screen.findAllByRole('option');
  expect(options).toHaveLength(201);
  expect(options[0]?.textContent).toMatch(/Attempt 300.*2 Jan 2025/);
  expect(options.at(-1)?.textContent).toMatch(/Attempt 7/);
  await user.click(screen.getByRole('option', { name: /Attempt 299/ }));
  expect(path()).toContain('attempt=299');
});
