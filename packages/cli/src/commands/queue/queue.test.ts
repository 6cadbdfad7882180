import { HIDDEN_RUN, type QueuedRun } from '@dstack/contract/wire';
import { expect, it, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';
import { declareQueue, type QueueOptions } from './queue.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');

const RUN: QueuedRun = {
  ...{ place: 1, run_id: 'r1', run: 'train', replica: null, project: 'main', user: 'ann' },
  ...{ nodes: 2, priority: 5 },
  ...{ submitted_at: '2026-11-24T11:00:00Z', since: '2026-11-24T11:50:00Z' },
  ...{ expected_start: '2026-11-24T12:05:00Z', is_about: false, is_reserved: true },
  ...{ why: 'fleet lab is full', places: [], max_duration: null },
};
const NAMELESS: QueuedRun = {
  ...RUN,
  ...{
    place: 2,
    run_id: null,
    run: HIDDEN_RUN,
    project: null,
    user: null,
    nodes: null,
    priority: null,
  },
  ...{ submitted_at: null, since: null, expected_start: '2026-11-24T13:00:00Z', is_about: true },
  ...{ is_reserved: false, why: null },
};
const REPLICA: QueuedRun = {
  ...RUN,
  ...{ place: 3, run: 'api', replica: 1, nodes: 1, expected_start: null, is_about: true },
};

test.each<[string[], object]>([
  [['queue'], { last: 100, verbose: false, watch: false, format: 'table' }],
  [['queue', '-n', '5', '-v'], { last: 5, verbose: true, watch: false, format: 'table' }],
  [['queue', '--json'], { last: 100, verbose: false, watch: false, format: 'json' }],
])('%j means %j', async (argv, expected) => {
  let options: QueueOptions | null = null;
  const keep = async (given: QueueOptions): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declareQueue(program, cli, keep), argv);
  expect(options).toEqual(expected);
});

async function queue(runs: readonly QueuedRun[], ...options: string[]) {
  const answer = { json: { runs, total: runs.length + 4 } };
  const server = await startFakeServer({ 'POST /api/project/main/queue/list': answer });
  const argv = ['--color', 'never', 'queue', ...options];
  return await runCommand(argv, { env: serverEnv(server.url), terminal: 200, now: NOW });
}

it('is a table in the order of the queue', async () => {
  const { out } = await queue([RUN, NAMELESS, REPLICA]);
  expect(out.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, '|'))).toEqual([
    'PLACE|RUN|PROJECT|USER|NODES|PRIORITY|WAITING|EXPECTED START',
    '1|train|main|ann|2|5|10m|in 5m',
    `2|${HIDDEN_RUN}|-|-|-|-|-|in about 1h`,
    '3|api (replica 1)|main|ann|1|5|10m|-',
    'and 4 more (-n)',
    '',
  ]);
  expect((await queue([RUN], '-v')).out).toContain('fleet lab is full');
});

it('is JSON as the server has it', async () => {
  expect(JSON.parse((await queue([RUN], '--json')).out)).toEqual({ runs: [RUN], total: 5 });
  expect((await queue([RUN], '-o', 'name')).out).toBe('train\n');
});

it('prints that no run waits', async () => {
  const { out, err } = await queue([]);
  expect(out + err).toContain('No run waits');
});
