import { ForbiddenError, ResourceNotExistsError } from '@dstack/client';
import type { Explanation, Run } from '@dstack/contract/wire';
import { act, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

/** One that never answers. */
class SilentWorker {
  postMessage() {}
  terminate() {}
}

const encode = (text: string) => new TextEncoder().encode(text);

function world(path: string, get: () => Run, output = '', more: object = {}) {
  const applied: unknown[] = [];
  const app = renderApp(path, {
    project: () => ({
      runs: {
        get: async () => get(),
        stop: async () => {},
        rerun: async (...request: unknown[]) => {
          applied.push(request);
          return aRun(String(request[1]));
        },
      },
      logs: {
        stream: async function* () {
          const bytes = encode(output);
          if (bytes.length > 0) yield { bytes, end: bytes.length };
        },
      },
      ...more,
    }),
  });
  return app.then((rendered) => ({ ...rendered, applied }));
}

describe('the output of a job', () => {
  it('is text, whatever it contains', async () => {
    const output = '<img src=x onerror=alert(1)>\n\x1b[31mred\x1b[0m \u202egnp.exe\n';
    await world('/projects/main/runs/train/logs', () => aRun('train'), output);
    const log = await screen.findByRole('region', { name: 'Output of train-0-0' });
    within(log).getByText('<img src=x onerror=alert(1)>');
    expect(log.querySelector('img')).toBeNull();
    expect(within(log).getByText('red').style.color).toBe('var(--ansi-1)');
    within(log).getByText(/⟨U\+202E⟩gnp\.exe/);
  });

  it('is searched while the reader types', async () => {
    const output = 'epoch 1\nloss 2\nEpoch 2\n';
    const { user } = await world('/projects/main/runs/train/logs', () => aRun('train'), output);
    await screen.findByText('loss 2');
    await user.keyboard('/');
    await user.keyboard('epoch{Enter}');
    await screen.findByText('1 of 2');
    await user.keyboard('{Enter}');
    await screen.findByText('2 of 2');
    expect(document.querySelectorAll('mark')).toHaveLength(2);
  });

  it('names what is wrong with a regular expression at the field', async () => {
    const { user } = await world('/projects/main/runs/train/logs', () => aRun('train'), 'x\n');
    await screen.findByText('x');
    await user.click(screen.getByRole('button', { name: 'Regular expression' }));
    const field = screen.getByRole('searchbox', { name: 'Search the log' });
    vi.stubGlobal('Worker', SilentWorker);
    await user.type(field, 'a(b');
    await screen.findByText('Unterminated group');
    expect(field.getAttribute('aria-invalid')).toBe('true');
    await user.type(field, ')');
    await waitFor(() => expect(screen.queryByText('Unterminated group')).toBeNull());
    screen.getByText('searching');
    vi.unstubAllGlobals();
  });

  it('is marked at the line that the address names, and lines have addresses', async () => {
    const output = 'first\nsecond\nthird\n';
    const app = await world('/projects/main/runs/train/logs#at=6', () => aRun('train'), output);
    const marked = (await screen.findByText('second')).closest('[data-index]');
    expect(marked?.hasAttribute('data-marked')).toBe(true);
    const third = screen.getByText('third').closest('[data-index]') as HTMLElement;
    await app.user.click(third.querySelector('a') as HTMLElement);
    await waitFor(() => expect(third.hasAttribute('data-marked')).toBe(true));
    expect(app.path()).toContain('/projects/main/runs/train/logs?job=train-0-0&attempt=1#at=13');
    expect(await navigator.clipboard.readText()).toContain('?job=train-0-0&attempt=1#at=13');
    // Following the end leaves the place of the link.
    await app.user.keyboard('f');
    await waitFor(() => expect(app.path()).not.toContain('#'));
  });

  it('goes to a time, and refuses one at the field with the reason', async () => {
    const { user } = await world('/projects/main/runs/train/logs', () => aRun('train'), 'x\n');
    await screen.findByText('x');
    await user.keyboard('t');
    await user.type(await screen.findByRole('textbox', { name: 'Time' }), 'soon{Enter}');
    await screen.findByText(/Type a time such as 14:03/);
    await user.clear(screen.getByRole('textbox', { name: 'Time' }));
    await user.type(screen.getByRole('textbox', { name: 'Time' }), '14:03{Enter}');
    await screen.findByText('The lines of this log have no times.');
  });

  it('is shown from a level on, with the message of JSON lines first, if readers want that', async () => {
    const output = 'ERROR boom\nINFO fine\n{"level":"error","msg":"<b>out</b>"}\n\n';
    const { user } = await world('/projects/main/runs/train/logs', () => aRun('train'), output);
    await screen.findByText('INFO fine');
    await user.click(screen.getByRole('combobox', { name: 'Level' }));
    await user.click(await screen.findByRole('option', { name: 'Errors' }));
    await waitFor(() => expect(screen.queryByText('INFO fine')).toBeNull());
    screen.getByText('ERROR boom');
    await user.click(screen.getByRole('button', { name: 'Display of lines' }));
    await user.click(
      await screen.findByRole('menuitemcheckbox', { name: 'Messages of JSON lines first' }),
    );
    await screen.findByText(/<b>out<\/b>/);
    expect(screen.queryByText(/"msg"/)).toBeNull();
    localStorage.clear();
  });

  it('of all jobs is merged, and each line names its job and leads to it', async () => {
    const run = aRun('train');
    const [job] = run.jobs as [Run['jobs'][number]];
    const jobs = ['train-0-0', 'train-0-1'].map((job_name, index) => ({
      ...job,
      job_spec: { ...job.job_spec, job_name },
      job_submissions: [{ ...job.job_submissions[0], id: `s${index}`, status: 'done' }],
    }));
    const times = { s0: [20], s1: [10] } as Record<string, number[]>;
    const app = await world(
      '/projects/main/runs/train/logs?job=all',
      () => ({ ...run, jobs }) as Run,
      '',
      {
        logs: {
          stream: async function* ({ job_submission_id: id }: { job_submission_id: string }) {
            const bytes = encode(`line of ${id}\n`);
            const known = (times[id] ?? []).map((time) => ({ end: bytes.length, time }));
            yield { bytes, end: bytes.length, times: known };
          },
        },
      },
    );
    const log = await screen.findByRole('region', { name: 'Output of all jobs' });
    const rows = [...log.querySelectorAll('[data-index]')].map((row) => row.textContent);
    expect(rows).toEqual(['train-0-1 line of s1', 'train-0-0 line of s0']);
    await app.user.click(log.querySelector('a') as HTMLElement);
    await waitFor(() => expect(app.path()).toContain('?job=train-0-1&attempt=1#t='));
    await screen.findByRole('region', { name: 'Output of train-0-1' });
  });

  it('is that of the attempt in the address', async () => {
    const run = aRun('train');
    const [job] = run.jobs;
    const again = { ...job!.job_submissions[0]!, id: 'second', submission_num: 1 };
    const both = { ...job!, job_submissions: [...job!.job_submissions, again] };
    await world(
      '/projects/main/runs/train/logs?attempt=1',
      () => ({ ...run, jobs: [both] }),
      'x\n',
    );
    const picker = await screen.findByRole('combobox', { name: 'Attempt' });
    expect(picker.textContent).toContain('Attempt 1');
  });
});

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
    await world(
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
  await world('/projects/main/runs/nightly', () => run, '', { explain });
  const timeline = await screen.findByRole('region', { name: 'Timeline' });
  expect(timeline.textContent).toContain('It has not started yet. It starts in');
});

it('of a schedule that was stopped names no next start', async () => {
  const ended = { status: 'terminated' as const, status_message: 'stopped', jobs: [] };
  const next_triggered_at = new Date(Date.now() - 420_000).toISOString();
  const run = aRun('nightly', { ...ended, latest_job_submission: null, next_triggered_at });
  await world('/projects/main/runs/nightly', () => run);
  await screen.findByRole('region', { name: 'Details' });
  expect(screen.queryByText('Next start')).toBeNull();
  expect(screen.queryByText(/It starts/)).toBeNull();
});

it('announces a change of the status', async () => {
  let run = aRun('train');
  const { live } = await world('/projects/main/runs/train', () => run);
  await screen.findByRole('heading', { level: 1, name: /train/ });
  run = aRun('train', { status: 'terminating', status_message: 'terminating' });
  act(() => live.onGap());
  await screen.findByText('train: Terminating');
});

it('stays readable when the run is deleted meanwhile', async () => {
  let isDeleted = false;
  const answer = { request: '', status: 400, code: 'resource_not_exists', fields: [] };
  const { live } = await world('/projects/main/runs/train', () => {
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

it('submits the same configuration again under the given name', async () => {
  const done = aRun('train', { status: 'done', status_message: 'done' });
  const { user, applied } = await world('/projects/main/runs/train', () => done);
  await user.click(await screen.findByRole('button', { name: 'Run again' }));
  const name = await screen.findByRole('textbox', { name: 'Name' });
  await user.clear(name);
  await user.type(name, 'train-2');
  await user.click(screen.getByRole('button', { name: 'Submit' }));
  await waitFor(() => expect(applied).toHaveLength(1));
  expect(applied[0]).toEqual([{ id: done.id }, 'train-2']);
});

describe('a running service', () => {
  it('that is well is offered no repair', async () => {
    const explanation = {
      subject: { kind: 'service', name: 'api', id: 'x', project_name: 'main', status: 'running' },
      ...{ state: 'running', summary: 'Service api is ready.', since: null, until: null },
      ...{ attempt: null, position: null, ahead: [], reasons: [], parts: [], considered: [] },
      fixes: [{ text: 'See what it prints', command: 'dstack logs api', value: null }],
      ...{ events: [], waiting_for: null },
    } as unknown as Explanation;
    const run = aRun('api', {
      run_spec: { run_name: 'api', configuration: { type: 'service', port: 8000 } },
    } as never);
    await world('/projects/main/runs/api', () => run, '', { explain: async () => explanation });
    await screen.findByText('Service api is ready.');
    expect(screen.queryByText('What would help')).toBeNull();
  });

  it('shows the requests of the last minute, and which replica gets none and why', async () => {
    const replica = {
      ...{ replica_num: 0, job_id: 'a', group: '0', state: 'ready', reason: null, until: null },
      ...{ in_flight: 4, requests: 1200, errors: 0, weight: 0.997, p50_ms: 8 },
      ...{ p95_ms: 900, p99_ms: 1500 },
    };
    const reason = 'it has answered 5 requests in a row with errors';
    const avoided = { ...replica, replica_num: 1, job_id: 'b', state: 'avoided', reason };
    const traffic = async () => ({
      ...{ run_id: 'r', run_name: 'api', window_seconds: 55, requests: 1204, errors: 4, rps: 22 },
      ...{ p50_ms: 8, p95_ms: 930, p99_ms: 1600, in_flight: 4, held: 0, partial: false },
      ...{ answered: { '2xx': 1200 }, replicas: [replica, avoided], replicas_total: 2 },
      ...{ gateway: null, servers: 1, missing_servers: 0, missing_gateway_replicas: [] },
      model: {
        ...{ answers: 7, prompt_tokens_per_second: 1200, completion_tokens_per_second: 95.4 },
        ...{ first_token_p50_ms: 180, first_token_p95_ms: 950, first_token_p99_ms: 990 },
      },
    });
    const run = aRun('api', {
      service: { url: '/proxy/services/main/api/', model: null, options: {} },
      run_spec: { run_name: 'api', configuration: { type: 'service', port: 8000 } },
    } as never);
    const access = async function* () {};
    await world('/projects/main/runs/api', () => run, '', { services: { access, traffic } });
    const panel = await screen.findByRole('region', { name: 'Traffic' });
    for (const text of ['1,204', '4 (<1 %)', '22/s', '930 ms', '95/s', '180 ms', '950 ms']) {
      within(panel).getByText(text);
    }
    const table = within(panel).getByRole('table', { name: 'Traffic of replicas' });
    const [, first, second] = within(table).getAllByRole('row');
    within(first as HTMLElement).getByText('Ready');
    within(second as HTMLElement).getByText('Avoided');
    within(panel).getByText(`Replica 1 gets no requests: ${reason}.`);
  });

  it('shows its latest requests, the last one first, whatever their paths contain', async () => {
    const request = { ms: 8.25, user: 'ann', address: '10.0.0.7', request_id: 'id' };
    const access = async function* () {
      const first = { ...request, time: 1, method: 'GET', path: '/first', status: 200 };
      const second = { ...request, time: 2, method: 'POST', path: '/<b>second', status: 502 };
      yield { kind: 'requests', requests: [first, second] };
    };
    const run = aRun('api', {
      service: { url: '/proxy/services/main/api/', model: null, options: {} },
      run_spec: { run_name: 'api', configuration: { type: 'service', port: 8000 } },
    } as never);
    const traffic = async () => Promise.reject(new Error('none'));
    await world('/projects/main/runs/api', () => run, '', { services: { access, traffic } });
    const table = await screen.findByRole('table', { name: 'Latest requests' });
    const [, last, before] = within(table).getAllByRole('row');
    within(last as HTMLElement).getByText('POST /<b>second');
    within(last as HTMLElement).getByText('502');
    within(before as HTMLElement).getByText('GET /first');
  });
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
  const { live } = await world('/projects/main/runs/train/inspect', () => shown);
  await screen.findByText('p5 on aws');
  shown = runOf(2);
  act(() => live.onChange({ type: 'run', id: run.id, project: 'main', version: 2 }));
  await screen.findByText('2 jobs');
  expect(screen.queryByText('p5 on aws')).toBeNull();
});

it('stays readable, with a warning, when the user is removed from its project', async () => {
  let isMember = true;
  const answer = { request: '', status: 403, code: null, fields: [], body: null, requestId: null };
  const { live } = await world('/projects/main/runs/train', () => {
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
  await world('/projects/main/runs/train', () => {
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
    const submission = { ...job.job_submissions[0], job_provisioning_data: placed };
    const job_spec = { ...job.job_spec, job_name: `train-${number}-0` };
    return { ...job, job_spec, job_submissions: [submission] };
  });
  const explain = async () => Promise.reject(new Error('none'));
  const whole = { ...run, jobs } as unknown as Run;
  await world('/projects/main/runs/train', () => whole, '', { explain });
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
