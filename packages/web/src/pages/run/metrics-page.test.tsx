import { screen, within } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

vi.mock('uplot', () => import('../../testing/uplot.ts'));
afterEach(() => vi.unstubAllGlobals());

/** Files that the page saves, as their texts. */
function savedFiles(): Blob[] {
  const saved: Blob[] = [];
  // The simulated browser has neither files nor downloads.
  const files = { createObjectURL: (blob: Blob) => `blob:${saved.push(blob)}` };
  // The address is given back a minute later, when the test is over.
  URL.revokeObjectURL ??= () => {};
  vi.stubGlobal('URL', Object.assign(class extends URL {}, files));
  HTMLAnchorElement.prototype.click = () => {};
  return saved;
}

/** A run of nodes, each with a job. */
function runOfNodes(nodes: number) {
  const run = aRun('train');
  const [job] = run.jobs;
  const jobs = Array.from({ length: nodes }, (_, num) => ({
    ...job!,
    job_spec: { ...job!.job_spec, job_name: `train-${num}-0`, job_num: num },
    job_submissions: job!.job_submissions.map((one) => ({ ...one, id: `submission-${num}` })),
  }));
  return { ...run, jobs };
}

// By label and text: roles are slow to find beside so many tables.
it('shows all jobs of a run beside each other, so many at a time, and exports them by job', async () => {
  const asked: number[] = [];
  const at = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
  const saved = savedFiles();
  const { user, path } = await renderApp('/projects/main/runs/train/metrics?job=all', {
    project: () => ({
      runs: { get: async () => runOfNodes(9) },
      metrics: {
        job: async (_: string, { job_num }: { job_num: number }) => {
          asked.push(job_num);
          const timestamps = [at(10), at(20)];
          const values = [job_num, job_num];
          return { metrics: [{ name: 'cpu_usage_percent', timestamps, values }] };
        },
      },
    }),
  });
  const cpu = within(await screen.findByLabelText('CPU', { selector: 'section' }));
  await cpu.findByText('train-7-0', { selector: 'h3 *' });
  expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  screen.getByText('Jobs 1–8 of 9');
  expect(cpu.getAllByText(/^CPU: latest \d %/)).toHaveLength(8);
  cpu.getByText('train-3-0', { selector: 'caption *' });
  await user.click(screen.getByLabelText('Next'));
  const next = within(await screen.findByLabelText('CPU', { selector: 'section' }));
  await next.findByText('train-8-0', { selector: 'h3 *' });
  expect(screen.queryByText('train-7-0')).toBeNull();
  expect(path()).toContain('page=2');
  await user.click(screen.getByText('CSV'));
  expect(await saved[0]?.text()).toMatch(/^time,train-8-0 CPU \(%\),train-8-0 Memory/);
});

it('draws means of several jobs over a long time, asked for in one request', async () => {
  const asked: object[] = [];
  await renderApp('/projects/main/runs/train/metrics?job=all&range=all', {
    project: () => ({
      runs: { get: async () => runOfNodes(9) },
      metrics: {
        history: async (query: { jobs: readonly { job_num: number }[] }) => {
          asked.push(query);
          return {
            step_seconds: 600,
            jobs: query.jobs.slice(1).map(({ job_num }) => ({
              job_submission_id: `submission-${job_num}`,
              timestamps: ['2026-01-01T00:00:00Z', '2026-01-01T00:10:00Z'],
              metrics: [{ name: 'cpu_usage_percent', values: [job_num * 10, 5] }],
            })),
          };
        },
      },
    }),
  });
  const cpu = within(await screen.findByLabelText('CPU', { selector: 'section' }));
  expect(cpu.getAllByText(/^CPU: latest 5 %, 5 % to \d0 %/)).toHaveLength(7);
  expect(cpu.queryByText('train-0-0')).toBeNull();
  const jobs = Array.from({ length: 8 }, (_, job_num) => ({ replica_num: 0, job_num }));
  expect(asked).toEqual([{ run_id: aRun('train').id, jobs, after: null }]);
});

it('names GPUs that are idle, and exports what is shown', async () => {
  const now = Date.now();
  const timestamps = Array.from({ length: 80 }, (_, index) =>
    new Date(now - index * 10_000).toISOString(),
  );
  const metric = (name: string, value: number) => ({
    name,
    timestamps,
    values: timestamps.map(() => value),
  });
  const gpus = [metric('gpu_util_percent_gpu0', 0), metric('gpu_util_percent_gpu1', 90)];
  const metrics = [metric('cpu_usage_percent', 50), ...gpus];
  const { user } = await renderApp('/projects/main/runs/train/metrics', {
    project: () => ({
      runs: { get: async () => aRun('train') },
      metrics: { job: async () => ({ metrics }) },
    }),
  });
  await screen.findByText(/GPU 0 was not used in the last 13 m/);
  const strips = within(screen.getByRole('list', { name: 'Use of each GPU' }));
  expect(strips.getAllByRole('listitem').map((one) => one.textContent)).toEqual([
    'GPU 00 %',
    'GPU 190 %',
  ]);
  const saved = savedFiles();
  await user.click(screen.getByRole('button', { name: 'CSV' }));
  expect(await saved[0]?.text()).toMatch(/^time,CPU \(%\),Memory \(bytes\),GPU use GPU 0 \(%\)/);
});

it('offers no earlier attempts, of which no measurements are kept', async () => {
  const run = aRun('train');
  const jobs = run.jobs.map((job) => ({
    ...job,
    job_submissions: [0, 1].flatMap((submission_num) =>
      job.job_submissions.map((one) => ({ ...one, id: `try-${submission_num}`, submission_num })),
    ),
  }));
  await renderApp('/projects/main/runs/train/metrics', {
    project: () => ({
      runs: { get: async () => ({ ...run, jobs }) },
      metrics: { job: async () => ({ metrics: [] }) },
    }),
  });
  await screen.findByText('No measurements in this time');
  expect(screen.queryByText(/^Attempt/)).toBeNull();
});
