import { expect, test } from 'vitest';
import { startFakeServer, wireError } from '../../testing/fake-server.ts';
import { recordedAnswer } from '../../testing/recordings.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const BASE = '/api/project/main/runs';

test.each([
  [['hold', 'a', 'b'], 'hold', { runs_names: ['a', 'b'] }, 'Held a, b; dstack release a b'],
  [['release', 'a'], 'release', { runs_names: ['a'] }, 'Released a'],
  [['priority', 'a', '70'], 'set_priority', { run_name: 'a', priority: 70 }, 'has the priority 70'],
])('%j sends the request and reports what holds now', async (argv, call, body, text) => {
  const fake = await startFakeServer({ [`POST ${BASE}/${call}`]: { json: null } });
  const { code, err } = await runCommand(argv, { env: serverEnv(fake.url) });
  expect([code, err]).toEqual([0, expect.stringContaining(text)]);
  expect(fake.bodyOf(`${BASE}/${call}`)).toEqual(body);
});

test.each([
  [['rerun', 'a'], { run_name: 'a', id: null, name: null }],
  [['rerun', 'a', '--name', 'b', '--json'], { run_name: 'a', id: null, name: 'b' }],
])('%j submits the stored run', async (argv, body) => {
  const run = await recordedAnswer<{ id: string }>('run-get-failed', `${BASE}/get`);
  const fake = await startFakeServer({ [`POST ${BASE}/rerun`]: { json: run } });
  const { code, out, err } = await runCommand(argv, { env: serverEnv(fake.url) });
  expect(code).toBe(0);
  expect(argv.includes('--json') ? JSON.parse(out).id : err).toEqual(
    argv.includes('--json') ? run.id : expect.stringMatching(/^Submitted .*; dstack attach /),
  );
  expect(fake.bodyOf(`${BASE}/rerun`)).toEqual(body);
});

test.each(['101', '-1', '1.5', 'high'])('%s is no priority', async (priority) => {
  const { code, err } = await runCommand(['priority', 'a', '--', priority]);
  expect([code, err]).toEqual([2, expect.stringContaining('a whole number from 0 to 100')]);
});

test('the refusal of the server is the answer', async () => {
  const refusal = wireError('error', 'Run a is running: only a run that waits can be held');
  const fake = await startFakeServer({ [`POST ${BASE}/hold`]: refusal });
  const { code, err } = await runCommand(['hold', 'a'], { env: serverEnv(fake.url) });
  expect([code, err]).toEqual([1, expect.stringContaining('only a run that waits can be held')]);
});
