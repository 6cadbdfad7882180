import { ForbiddenError, ResourceNotExistsError } from '@dstack/client';
import type { Explanation, Run } from '@dstack/contract/wire';
import { act, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { renderRun } from '../../testing/render-run.tsx';
import { aRun } from '../../testing/runs.ts';

describe('a run that waits', () => {
  it('is explained, with what would help', async () => {
    const explanation = {
      subject: { kind: 'run', name: 'train', id: 'x', project_name: 'main', status: 'submitted' },
      state: 'waiting',
      summary: 'Run train waits: fleet a is at capacity.',
      since: null,
      until: null,
      attempt: null,
      position: 3,
      ahead: [{ run: 'first', project: null, priority: null, since: null, keeps: 'a' }],
      reasons: [],
      parts: [],
      considered: [],
      fixes: [{ text: 'Raise nodes.max', command: 'dstack apply -f fleet.yml', value: null }],
      events: [],
      waiting_for: 'nodes.max',
    } as unknown as Explanation;
    await renderRun(
      '/projects/main/runs/train',
      () => aRun('train', { status: 'submitted', status_message: 'submitted' }),
      '',
      { explain: async () => explanation },
    );
    await screen.findByText('Run train waits: fleet a is at capacity.');
    screen.getByText('place 3 in the queue');
    screen.getByText('Before it: first (keeps room in a)');
    screen.getByText('dstack apply -f fleet.yml');
  });
});

it('of a schedule that has not started shows when it starts, instead of an empty timeline', async () => {
  const run = aRun('nightly', {
    status: 'pending',
    status_message: 'pending',
    jobs: [],
    latest_job_submission: null,
    next_triggered_at: new Date(Date.now() + 7_200_500).toISOString(),
  });
  const explain = async () => Promise.reject(new Error('none'));
  await renderRun('/projects/main/runs/nightly', () => run, '', { explain });
  const timeline = await screen.findByRole('region', { name: 'Timeline' });
  expect(timeline.textContent).toContain('It has not started yet. It starts in');
});

it.each([
  ['local', 'dstack/base'],
  ['local-process', undefined],
])('on an instance of type %s shows the image %s', async (name, image) => {
  const run = aRun('train');
  const resources = { cpus: 4, memory_mib: 8192, gpus: [], spot: false, disk: { size_mib: 0 } };
  const job_provisioning_data = { backend: 'remote', instance_type: { name, resources } };
  const jobs = run.jobs.map((job) => ({
    job_spec: { ...job.job_spec, image_name: 'dstack/base' },
    job_submissions: job.job_submissions.map((one) => ({ ...one, job_provisioning_data })),
  }));
  await renderRun('/projects/main/runs/train', () => ({ ...run, jobs }) as unknown as Run);
  const details = await screen.findByRole('region', { name: 'Details' });
  const label = within(details).queryByText('Image');
  expect(label?.nextElementSibling?.textContent).toBe(image);
});

it('of a schedule that was stopped names no next start', async () => {
  const ended = { status: 'terminated' as const, status_message: 'stopped', jobs: [] };
  const next_triggered_at = new Date(Date.now() - 420_000).toISOString();
  const run = aRun('nightly', { ...ended, latest_job_submission: null, next_triggered_at });
  await renderRun('/projects/main/runs/nightly', () => run);
  await screen.findByRole('region', { name: 'Details' });
  expect(screen.queryByText('Next start')).toBeNull();
  expect(screen.queryByText(/It starts/)).toBeNull();
});

it('announces a change of the status', async () => {
  let run = aRun('train');
  const { live } = await renderRun('/projects/main/runs/train', () => run);
  await screen.findByRole('heading', { level: 1, name: /train/ });
  run = aRun('train', { status: 'terminating', status_message: 'terminating' });
  act(() => live.onGap());
  await screen.findByText('train: Terminating');
});

it('stays readable when the run is deleted meanwhile', async () => {
  let isDeleted = false;
  const answer = { request: '', status: 400, code: 'resource_not_exists', fields: [] };
  const { live } = await renderRun('/projects/main/runs/train', () => {
    if (isDeleted)
      throw new ResourceNotExistsError('Run not found', { ...answer, body: null, requestId: null });
    return aRun('train');
  });
  await screen.findByRole('heading', { level: 1, name: /train/ });
  isDeleted = true;
  act(() => live.onGap());
  await screen.findByText(/This run was deleted/);
  screen.getByRole('heading', { level: 1, name: /train/ });
});

it('of a deleted run reports that, and its tabs stay with it', async () => {
  const id = '1959721e-cfa7-4d96-ace3-03046dd3efda';
  const failed = { status: 'failed', status_message: 'failed', deleted: true } as const;
  const explain = async () => Promise.reject(new Error('explains the newer run of the name'));
  await renderRun(`/projects/main/runs/${id}`, () => aRun('train', { id, ...failed }), '', {
    explain,
  });
  await screen.findByText('This run was deleted.');
  const logs = screen.getByRole('link', { name: 'Logs' });
  expect(logs.getAttribute('href')).toBe(`/projects/main/runs/${id}/logs`);
  expect(screen.queryByText(/explains the newer run/)).toBeNull();
});

it('submits the same configuration again under the given name', async () => {
  const done = aRun('train', { status: 'done', status_message: 'done' });
  const { user, applied } = await renderRun('/projects/main/runs/train', () => done);
  await user.click(await screen.findByRole('button', { name: 'Run again' }));
  const name = await screen.findByRole('textbox', { name: 'Name' });
  await user.clear(name);
  await user.type(name, 'train-2');
  await user.click(screen.getByRole('button', { name: 'Submit' }));
  await waitFor(() => expect(applied).toHaveLength(1));
  expect(applied[0]).toEqual([{ id: done.id }, 'train-2']);
});

it('of several jobs, the header has their number instead of the instance of one of them', async () => {
  const run = aRun('train');
  const [job] = run.jobs as [Run['jobs'][number]];
  const resources = { gpus: [], cpus: 4, memory_mib: 1024, spot: false, disk: { size_mib: 0 } };
  const instance_type = { name: 'p5', resources };
  const placed = { backend: 'aws', region: 'us-east-1', price: 1, instance_type };
  const submission = { ...job.job_submissions[0], job_provisioning_data: placed };
  const runOf = (count: number): Run =>
    ({
      ...run,
      jobs: Array.from({ length: count }, (_, index) => ({
        ...job,
        job_spec: { ...job.job_spec, job_name: `train-${index}-0` },
        job_submissions: [submission],
      })),
      latest_job_submission: submission,
    }) as unknown as Run;
  let shown = runOf(1);
  const { live } = await renderRun('/projects/main/runs/train/inspect', () => shown);
  await screen.findByText('p5 on aws');
  shown = runOf(2);
  act(() => live.onChange({ type: 'run', id: run.id, project: 'main', version: 2 }));
  await screen.findByText('2 jobs');
  expect(screen.queryByText('p5 on aws')).toBeNull();
});

it('stays readable, with a warning, when the user is removed from its project', async () => {
  let isMember = true;
  const answer = { request: '', status: 403, code: null, fields: [], body: null, requestId: null };
  const { live } = await renderRun('/projects/main/runs/train', () => {
    if (isMember) return aRun('train');
    throw new ForbiddenError('Access denied', answer);
  });
  await screen.findByRole('heading', { level: 1, name: /train/ });
  isMember = false;
  act(() => live.onGap());
  await screen.findByText(/you may no longer see it/);
  screen.getByRole('heading', { level: 1, name: /train/ });
});

it('that the user may not see explains why, and who can change that', async () => {
  const answer = { request: '', status: 403, code: null, fields: [], body: null, requestId: 'r7' };
  await renderRun('/projects/main/runs/train', () => {
    throw new ForbiddenError('Access denied', answer);
  });
  await screen.findByRole('heading', { name: 'You have no access to this page' });
  const alert = screen.getByRole('alert');
  expect(alert.textContent).toContain('Access denied. Your role does not allow it');
  expect(alert.textContent).toContain('administrator of the project');
});

it('of several jobs, the details are about all of them', async () => {
  const run = aRun('train', { fleet: { id: 'f1', name: 'gpus' } as never });
  const [job] = run.jobs as [Run['jobs'][number]];
  const jobs = [1, 2, 3].map((number) => {
    const resources = { gpus: [], cpus: 4, memory_mib: 1024, spot: false, disk: { size_mib: 0 } };
    const placed = {
      ...{ backend: 'aws', region: 'us-east-1', price: 1, instance_id: `i-${number}` },
      instance_type: { name: 'p5', resources },
    };
    const id = `submission-${number}`;
    const submission = { ...job.job_submissions[0], id, job_provisioning_data: placed };
    const job_spec = { ...job.job_spec, job_name: `train-${number}-0` };
    return { ...job, job_spec, job_submissions: [submission] };
  });
  const explain = async () => Promise.reject(new Error('none'));
  const whole = { ...run, jobs } as unknown as Run;
  await renderRun('/projects/main/runs/train', () => whole, '', { explain });
  const link = await screen.findByRole('link', { name: '3 × p5' });
  expect(link.getAttribute('href')).toBe('/instances?fleet_ids=f1');
  screen.getByText('12 CPU, 3 GB');
});

it('names the run, its status and the open tab in the title of the browser', async () => {
  const { user } = await renderApp('/projects/main/runs/train', {
    project: () => ({
      runs: { get: async () => aRun('train') },
      logs: { stream: async function* () {} },
    }),
  });
  await waitFor(() => expect(document.title).toBe('train · Running · dstack'));
  await user.click(await screen.findByRole('link', { name: 'Inspect' }));
  await waitFor(() => expect(document.title).toBe('train · Running · Inspect · dstack'));
});
