import { expect, it, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import { recordedAnswer } from '../../testing/recordings.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';
import { declareRollout, type RolloutOptions } from './rollout.ts';

const BASE = '/api/project/main/runs';

test.each<[string[], object]>([
  [['rollout', 'status', 'web'], { action: 'status', run: 'web', wait: false, json: false }],
  [['rollout', 'undo', 'web', '--wait', '--json'], { action: 'undo', wait: true, json: true }],
  [['rollout', 'pause', 'web'], { action: 'pause' }],
  [['rollout', 'resume', 'web'], { action: 'resume' }],
])('%j means %j', async (argv, expected) => {
  let options: RolloutOptions | null = null;
  const keep = async (given: RolloutOptions): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declareRollout(program, cli, keep), argv);
  expect(options).toMatchObject(expected);
});

async function rollout(state: object | null, ...argv: string[]) {
  const recorded = (await recordedAnswer('apply-service', `${BASE}/get`)) as Record<
    string,
    unknown
  >;
  const run = state === null ? recorded : { ...recorded, rollout: state };
  const server = await startFakeServer({
    [`POST ${BASE}/get`]: { json: run },
    [`POST ${BASE}/rollout`]: { json: null },
  });
  const { code, out, err } = await runCommand(['rollout', ...argv], {
    env: serverEnv(server.url),
  });
  return { code, out, err, requests: server.requests };
}

const state = (part: object) => ({
  ...{ deployment_num: 3, status: 'progressing', ready: 1, previous_deployment_num: 1 },
  ...{ message: null, ...part },
});

it('shows how far it has come', async () => {
  const { code, out } = await rollout(state({}), 'status', 'web');
  expect([code, out]).toEqual([
    0,
    expect.stringContaining('deployment 3 progressing, 1 replica ready; previous deployment 1'),
  ]);
});

it('exits with 6 if it was rolled back, unless that was requested', async () => {
  const back = state({ status: 'rolled_back', message: 'no replica was ready', ready: 2 });
  const shown = await rollout(back, 'status', 'web');
  expect(shown.code).toBe(6);
  expect(shown.out).toContain('rolled back: no replica was ready, 2 replicas ready');
  expect((await rollout(back, 'undo', 'web')).code).toBe(0);
});

it('fails for a run that was never updated', async () => {
  const { code, err } = await rollout(null, 'status', 'web');
  expect([code, err]).toEqual([1, expect.stringContaining('has not been updated')]);
});
