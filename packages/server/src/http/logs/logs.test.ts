import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let jobId: string;
beforeAll(async () => {
  server = await startTestServer();
  const configuration = { type: 'task', commands: ['true'] };
  const run_spec = { run_name: 'train', configuration, profile: { name: 'default' } };
  const body = { plan: { run_spec }, force: false };
  const run = await server.call('/api/project/main/runs/apply', body);
  jobId = run.body.jobs[0].job_submissions[0].id;
});
afterAll(() => server.close());

async function diagnose(more: object = {}) {
  const body = { run_name: 'train', job_submission_id: jobId, diagnose: true, ...more };
  const { body: page } = await server.call('/api/project/main/logs/poll', body);
  const text = page.logs.map(({ message }: { message: string }) =>
    Buffer.from(message, 'base64').toString(),
  );
  return { page, lines: text as string[] };
}

describe('the diagnosis of a job', () => {
  it('reports what the server did for a job that has not run yet', async () => {
    const { page, lines } = await diagnose();
    expect(page).toMatchObject({ external_url: null, next_token: null });
    expect(lines[0]).toMatch(/^2026-11-24T12:\S+Z server: job train-0-0: Job created.*\n$/);
  });

  it("reports intents, their results, and the agent's last report", async () => {
    const { now } = server.deps.context();
    const run = await server.store.runs.byName((await project()).id, 'train');
    const intent = { key: `job.start:${jobId}:0`, kind: 'job.start', subjectId: jobId } as const;
    const payload = { kind: 'job.start', hold: false } as const;
    const times = { createdAt: now, updatedAt: now };
    const rest = { attempt: 0, payload, state: 'announced', result: null, error: null } as const;
    await server.store.engine.apply(
      [{ type: 'intent.insert', intent: { ...intent, ...rest, ...times } }],
      [],
    );
    await server.store.engine.finishIntent(intent.key, 'failed', null, 'no such image');
    await server.store.reports.saveState(
      'host-1',
      {
        ...{ id: jobId, seq: 7, phase: 'exited', ssh_port: null, working_dir: null },
        ...{ username: null, stop_stage: null, log_end: 12, container_ip: null },
        exit: { status: null, reason: 'creating_container_error', message: 'pull failed' },
      },
      now + 5_000_000,
    );
    expect(run?.jobs).toHaveLength(1);
    const { lines } = await diagnose();
    const text = lines.join('');
    expect(text).toContain('server: give the job to the agent (attempt 1): to be done\n');
    expect(text).toContain(
      'server: give the job to the agent (attempt 1): failed: no such image\n',
    );
    expect(lines.at(-1)).toContain(
      'agent on host-1: phase exited, never ran, creating_container_error, pull failed, 12 bytes of output, 0 of them stored\n',
    );
  });

  it('can be limited to lines that contain a text, also where most pages have none', async () => {
    const all = (await diagnose()).lines;
    const matching = (lines: string[]) => lines.filter((line) => line.includes('attempt 1'));
    const { lines, page } = await diagnose({ grep: 'attempt 1', limit: 1 });
    expect(lines).toEqual(matching(all).slice(0, 1));
    const rest = await diagnose({ grep: 'attempt 1', next_token: page.next_token });
    expect([...lines, ...rest.lines]).toEqual(matching(all));
    expect((await diagnose({ grep: 'nothing like this' })).page).toMatchObject({ logs: [] });
    expect((await diagnose({ grep: 'ATTEMPT 1' })).lines).toEqual([]);
    const upper = { grep: 'ATTEMPT 1', ignore_case: true, limit: 1 };
    expect((await diagnose(upper)).lines).toEqual(lines);
  });

  it('contains nothing that a terminal would interpret', async () => {
    const { now } = server.deps.context();
    const error = 'remote: \u001b[2J\u009b1m\rgone\u202e\nline two';
    const intent = { key: `job.stop:${jobId}:0`, kind: 'job.stop', subjectId: jobId } as const;
    const payload = { kind: 'job.stop', grace: true, reason: 'x', message: null } as const;
    const times = { createdAt: now, updatedAt: now };
    const rest = { attempt: 0, payload, state: 'announced', result: null, error: null } as const;
    await server.store.engine.apply(
      [{ type: 'intent.insert', intent: { ...intent, ...rest, ...times } }],
      [],
    );
    await server.store.engine.finishIntent(intent.key, 'failed', null, error);
    const { lines } = await diagnose();
    expect(lines.join('')).toContain('failed: remote: \\x1b[2J\\x9b1m\\x0dgone\\u202e line two\n');
  });

  it('is paged in both directions', async () => {
    const { lines } = await diagnose();
    const first = await diagnose({ limit: 1 });
    const second = await diagnose({ limit: 1, next_token: first.page.next_token });
    expect([...first.lines, ...second.lines]).toEqual(lines.slice(0, 2));
    expect((await diagnose({ descending: true })).lines).toEqual(lines.toReversed());
  });

  it('is empty for a job of another run', async () => {
    expect((await diagnose({ run_name: 'other' })).lines).toEqual([]);
    expect((await diagnose({ job_submission_id: randomUUID() })).lines).toEqual([]);
  });
});

async function project() {
  const found = await server.store.projects.byName('main');
  if (!found) throw new Error('there is no project main');
  return found;
}
