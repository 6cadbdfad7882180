import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import {
  type FakeServer,
  runEvent,
  startFakeServer,
  wireError,
} from '../../testing/fake-server.ts';
import { recordedAnswer } from '../../testing/recordings.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const BASE = '/api/project/main';

function named(run: Run, run_name: string): Run {
  return { ...run, run_spec: { ...run.run_spec, run_name } };
}

async function serving(status: Run['status']): Promise<FakeServer> {
  const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  return startFakeServer({
    [`POST ${BASE}/runs/get`]: ({ body }) =>
      (body as { run_name: string }).run_name === 'nope'
        ? wireError('resource_not_exists', 'Run not found')
        : { json: named({ ...run, status }, (body as { run_name: string }).run_name) },
    [`POST ${BASE}/runs/stop`]: { json: null },
    [`GET ${BASE}/runs/watch`]: {
      events: [runEvent({ ...run, status: 'terminated' })],
      open: true,
    },
  });
}

test.each([
  [['stop', 'a', '-y'], { runs_names: ['a'], abort: false }, 'Stopping a; until'],
  [['stop', '-x', '-y', 'a', 'b'], { runs_names: ['a', 'b'], abort: true }, 'Aborting a, b; until'],
  [['stop', '--wait', '-y', 'a'], { runs_names: ['a'], abort: false }, 'Stopped\n'],
  [['stop', '--wait', '-xy', 'a'], { runs_names: ['a'], abort: true }, 'Aborted\n'],
])(
  '%j reports that runs have ended only after it has waited for them',
  async (argv, body, text) => {
    const fake = await serving('running');
    const { code, err } = await runCommand(argv, { env: serverEnv(fake.url) });
    expect([code, err.startsWith(text)]).toEqual([0, true]);
    expect(fake.bodyOf(`${BASE}/runs/stop`)).toEqual(body);
  },
);

test('missing permission is not reported as an invalid token', async () => {
  const msg = 'Access denied: the service token ci may only read';
  const fake = await serving('running');
  fake.set(`POST ${BASE}/runs/stop`, { status: 403, json: { detail: { msg, code: null } } });
  const { code, err } = await runCommand(['stop', 'a', '-y'], { env: serverEnv(fake.url) });
  expect(code).toBe(4);
  expect(err).toContain('error: Access denied\n  why:  the service token ci may only read');
});

test('nothing is stopped after "no", or if one of the names is wrong', async () => {
  const fake = await serving('running');
  const env = serverEnv(fake.url);
  expect((await runCommand(['stop', 'a'], { env, input: 'n\n' })).code).toBe(0);
  expect((await runCommand(['stop', 'a', 'nope', '-y'], { env })).code).toBe(3);
  expect(fake.calls).not.toContain(`POST ${BASE}/runs/stop`);
});

test('an invalid answer repeats the question', async () => {
  const fake = await serving('running');
  const { err } = await runCommand(['stop', 'a'], {
    env: serverEnv(fake.url),
    input: '\nmaybe\ny\n',
  });
  expect(err.match(/Stop the run a\? \[y\/n\]/g)).toHaveLength(3);
  expect(fake.calls).toContain(`POST ${BASE}/runs/stop`);
});

test('a run that has already ended is reported as such', async () => {
  const fake = await serving('done');
  const { code, err } = await runCommand(['stop', 'a'], { env: serverEnv(fake.url) });
  expect([code, err]).toEqual([0, 'warning: Run a is already done\n']);
  expect(fake.calls).not.toContain(`POST ${BASE}/runs/stop`);
});
