import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { startFakeServer, wireError } from '../testing/fake-server.ts';
import { recordedAnswer } from '../testing/recordings.ts';
import { runCommand, serverEnv } from '../testing/run-command.ts';

const BASE = '/api/project/main';

test.each([
  ['trian', false, 'did you mean train? (dstack ps --all)'],
  ['train', true, 'dstack ps --all'],
])(
  'an unknown run name, %s, gets a suggestion if a name is similar',
  async (name, deleted, next) => {
    const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
    const train = { ...run, deleted, run_spec: { ...run.run_spec, run_name: 'train' } };
    const server = await startFakeServer({
      [`POST ${BASE}/runs/get`]: wireError('resource_not_exists', 'Run not found'),
      'POST /api/runs/list': { json: [train] },
    });
    const { code, err } = await runCommand(['logs', name], { env: serverEnv(server.url) });
    expect([code, err]).toEqual([
      3,
      `error: Run ${name} does not exist\n  why:  project main has no such run\n  next: ${next}\n`,
    ]);
  },
);
