import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import {
  apply,
  attachedRun,
  BASE,
  recordedRoutes,
  TASK,
  withStatus,
} from '../../testing/apply-run.ts';
import {
  LOG_END,
  logEvent,
  type Route,
  runEvent,
  startFakeServer,
  wireError,
} from '../../testing/fake-server.ts';

test('an attached run shows its phases, streams its output and ends with its result', async () => {
  const run = await attachedRun();
  const events = [
    runEvent(withStatus(run, 'submitted', 'submitted', 'submitted')),
    runEvent(withStatus(run, 'provisioning', 'pulling', 'pulling')),
    runEvent(withStatus(run, 'done', 'done', 'exited (0)')),
  ];
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: { events, open: true },
    [`GET ${BASE}/logs/stream`]: {
      events: [logEvent('hello ', 6), ': keep-alive\n\n', logEvent('world\n', 12), LOG_END],
    },
  });
  const { code, out, err } = await apply(TASK, ['-y'], fake);
  expect(out.endsWith('\nhello world\n')).toBe(true);
  expect(err).toMatch(
    /cdd080: submitted\n\[16:00:00 UTC\] cdd080: pulling\n\[16:00:00 UTC\] cdd080: exited \(0\)\n/,
  );
  expect(err).toContain('cdd080 provisioning completed (done)');
  expect(err).toMatch(/\ncdd080 done in \d+s · dstack logs cdd080\n$/);
  expect(code).toBe(0);
  const stream = fake.requests.find((r) => r.path === `${BASE}/logs/stream`);
  expect(Object.fromEntries(stream?.query ?? [])).toEqual({
    run_name: 'cdd080',
    job_submission_id: run.jobs[0]?.job_submissions.at(-1)?.id,
    offset: '0',
  });
});

test('a failed run ends with the exit code of its program and prints the reason', async () => {
  const run = await attachedRun();
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: { events: [runEvent(run)], open: true },
    [`GET ${BASE}/logs/stream`]: { events: [LOG_END] },
  });
  const { code, err } = await apply(TASK, ['-y'], fake);
  expect(code).toBe(3);
  expect(err).toContain('Exited (3)');
  expect(err).toContain('dstack logs -d cdd080');
});

test('an update that is rolled back while attached ends with code 6, and the run continues', async () => {
  const run = await attachedRun();
  const rollout = { deployment_num: 1, status: 'progressing', ready: 0, message: null } as const;
  const running = withStatus(run, 'running', 'running', 'running');
  const updated: Run = { ...running, rollout: { ...rollout, previous_deployment_num: 0 } };
  const message = 'no further replica was ready within 2m';
  const back: Run = {
    ...running,
    rollout: {
      ...{ deployment_num: 2, status: 'rolled_back', ready: 0 },
      ...{ previous_deployment_num: 1, message },
    },
  };
  const stream = { events: [logEvent('serving\n', 8)], open: true };
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`POST ${BASE}/runs/apply`]: { json: updated },
    [`GET ${BASE}/runs/watch`]: { events: [runEvent(updated), runEvent(back)], open: true },
    [`GET ${BASE}/logs/stream`]: stream,
  });
  const { code, err } = await apply(TASK, ['-y'], fake);
  expect(code).toBe(6);
  expect(err).toContain(`The update was rolled back: ${message}. cdd080 has its previous`);
  expect(fake.calls.filter((call) => call.includes('/runs/stop'))).toEqual([]);
  const { out } = await apply(TASK, ['-y', '--json'], fake);
  const result = JSON.parse(out.trimEnd().split('\n').at(-1) ?? '');
  expect(result).toMatchObject({ type: 'result', exit: { code: 6, source: 'dstack' } });
});

/** The same run with one more submission of its job. */
function triedAgain(run: Run, id: string): Run {
  const copy = structuredClone(run);
  const job = copy.jobs[0];
  const last = job?.job_submissions.at(-1);
  if (job && last) job.job_submissions.push({ ...structuredClone(last), id });
  return copy;
}

/** All watchers see the same state; each watch request advances it by one. */
function inTurn(...states: Run[]): Route {
  return () => {
    const state = states.length > 1 ? states.shift() : states[0];
    return { events: [runEvent(state)], open: true };
  };
}

test('a retried run prints how its job ended and follows the next submission', async () => {
  const run = await attachedRun();
  const failed = withStatus(run, 'pending', 'failed', 'exited (3)');
  const again = withStatus(triedAgain(run, 'second'), 'done', 'done', 'exited (0)');
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: inTurn(failed, again),
    [`GET ${BASE}/logs/stream`]: ({ query }) => ({
      events: [logEvent(`output of ${query.get('job_submission_id')}\n`, 9), LOG_END],
    }),
  });
  const { code, out, err } = await apply(TASK, ['-y'], fake);
  expect(code).toBe(0);
  expect(out).toMatch(/output of .*\noutput of second\n$/);
  expect(err).not.toContain('(pending)');
  expect(err).toMatch(
    /cdd080 has ended and is tried again: exited \(3\)[\s\S]*cdd080 provisioning completed \(done\)/,
  );
});

test('a run that found no machine is not announced as provisioned', async () => {
  const run = await attachedRun();
  const waiting = withStatus(run, 'pending', 'failed', 'no capacity');
  const submission = waiting.jobs[0]?.job_submissions.at(-1);
  if (submission) submission.job_provisioning_data = null;
  const again = withStatus(triedAgain(run, 'second'), 'done', 'done', 'exited (0)');
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: inTurn(waiting, again),
    [`GET ${BASE}/logs/stream`]: { events: [LOG_END] },
  });
  const { err } = await apply(TASK, ['-y'], fake);
  expect(err).toContain('cdd080 has ended and is tried again: no capacity');
  expect(err.match(/provisioning completed/g)).toHaveLength(1);
  expect(fake.calls.filter((call) => call.includes('/logs/stream'))).toHaveLength(1);
});

test('a run that ends without a machine prints only its end', async () => {
  const failed = withStatus(await attachedRun(), 'failed', 'failed', 'no capacity');
  const submission = failed.jobs[0]?.job_submissions.at(-1);
  if (submission) {
    const reason = { termination_reason: 'failed_to_start_due_to_no_capacity' };
    Object.assign(submission, { job_provisioning_data: null, exit_status: null, ...reason });
  }
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: inTurn(failed),
  });
  const { err, code } = await apply(TASK, ['-y'], fake);
  expect(err).not.toContain('provisioning completed');
  expect([err.includes('No capacity'), code]).toEqual([true, 5]);
});

test('on a server without streams the run and its logs are polled', async () => {
  const run = withStatus(await attachedRun(), 'done', 'done', 'exited (0)');
  const message = Buffer.from('polled\n').toString('base64');
  const log = { timestamp: '2026-11-24T15:00:00Z', log_source: 'stdout', message };
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`POST ${BASE}/runs/get`]: { json: run },
    [`POST ${BASE}/logs/poll`]: { json: { logs: [log], external_url: null, next_token: null } },
  });
  const { code, out } = await apply(TASK, ['-y'], fake);
  expect(code).toBe(0);
  expect(out.endsWith('\npolled\n')).toBe(true);
});

test('Ctrl-C asks, and "yes" stops the run', async () => {
  const run = await attachedRun();
  const running = withStatus(run, 'running', 'running', 'running');
  // The run has no address, so nothing is attached by SSH; this test is about the output only.
  const placed = running.jobs[0]?.job_submissions.at(-1)?.job_provisioning_data;
  if (placed) placed.hostname = '';
  let stopped = false;
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    'POST /api/users/get_my_user': wireError('error', 'no key'),
    [`GET ${BASE}/runs/watch`]: () => ({
      events: [
        runEvent(stopped ? withStatus(run, 'terminated', 'terminated', 'stopped') : running),
      ],
      open: true,
    }),
    [`GET ${BASE}/logs/stream`]: { events: [logEvent('working\n', 8)], open: true },
    [`POST ${BASE}/runs/stop`]: () => {
      stopped = true;
      return { json: null };
    },
  });
  let pressed = false;
  const { code, out, err } = await apply(TASK, [], fake, {
    input: 'y\ny\n',
    onOutput: (text, pressCtrlC) => {
      if (!text.includes('working\n') || pressed) return;
      pressed = true;
      pressCtrlC();
    },
  });
  expect(out).toContain('working\n');
  expect(err).toContain('Stop the run cdd080 before detaching? [y/n]');
  expect(err.endsWith('Stopped\n')).toBe(true);
  expect(code).toBe(130);
  expect(fake.bodyOf(`${BASE}/runs/stop`)).toEqual({ runs_names: ['cdd080'], abort: false });
});

test('--json prints lines: the phases with the bytes of a pull, then the result', async () => {
  const run = await attachedRun();
  const pulling = withStatus(run, 'provisioning', 'pulling', 'pulling');
  const submission = pulling.jobs[0]?.job_submissions.at(-1);
  const bytes = { downloaded_bytes: 5, extracted_bytes: 1, total_bytes: 9 };
  if (submission) submission.image_pull_progress = { ...bytes, is_total_bytes_final: true };
  const states = [pulling, run, run, run];
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: () => ({ events: states.splice(0, 2).map(runEvent), open: true }),
    [`GET ${BASE}/logs/stream`]: { events: [LOG_END] },
  });
  const { code, out } = await apply(TASK, ['-y', '--json'], fake);
  expect(code).toBe(3);
  const lines = out.trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { type: 'progress', run: 'cdd080', phase: 'pulling', pull: bytes },
    { type: 'result', status: 'failed', exit: { code: 3, source: 'container' } },
  ]);
});

test('a run that waits for its schedule is not followed: its next start is printed', async () => {
  const run = await attachedRun();
  const next = { status: 'pending', next_triggered_at: '2031-03-04T05:06:00Z' };
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`POST ${BASE}/runs/apply`]: { json: { ...run, ...next, jobs: [] } },
  });
  const { code, err } = await apply(TASK, ['-y'], fake);
  expect(code).toBe(0);
  expect(err).toMatch(/Next run: 2031-03-04 05:06 UTC\n.*dstack attach cdd080/);
  expect(err).not.toContain('dstack logs');
  expect(fake.calls).not.toContain(`GET ${BASE}/runs/watch`);
});

test('a run whose start by schedule has ended is left until the next one', async () => {
  const run = await attachedRun();
  const next = { next_triggered_at: '2031-03-04T05:06:00Z' };
  const ended = withStatus(run, 'pending', 'done', 'exited (0)') as Run;
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    [`GET ${BASE}/runs/watch`]: {
      events: [
        runEvent(withStatus(run, 'provisioning', 'running', 'running')),
        runEvent({ ...ended, ...next }),
      ],
      open: true,
    },
    [`GET ${BASE}/logs/stream`]: { events: [logEvent('hello\n', 6), LOG_END] },
  });
  const { code, out, err } = await apply(TASK, ['-y'], fake);
  expect([code, out.endsWith('hello\n')]).toEqual([0, true]);
  expect(err).toContain('Next run: 2031-03-04 05:06 UTC');
});
