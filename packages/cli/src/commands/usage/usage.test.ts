import { expect, it, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';
import { declareUsage, type UsageCommandOptions } from './usage.ts';

test.each<[string[], object]>([
  [['usage'], { since: null, byDay: false, json: false }],
  [['usage', '--since', '7d', '--by-day', '--json'], { since: '7d', byDay: true, json: true }],
])('%j means %j', async (argv, expected) => {
  let options: UsageCommandOptions | null = null;
  const keep = async (given: UsageCommandOptions): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declareUsage(program, cli, keep), argv);
  expect(options).toEqual(expected);
});

const row = (day: string, model: string, user: string, tokens: number) => ({
  ...{ day, model, user, requests: 2, aborted: 1, estimated: 0 },
  ...{ prompt_tokens: tokens, completion_tokens: 5 },
});

async function usage(rows: readonly object[], ...options: string[]) {
  const answer = { json: { usage: rows } };
  const server = await startFakeServer({ 'GET /api/project/main/models/usage': answer });
  const argv = ['--color', 'never', 'usage', ...options];
  const { out, err } = await runCommand(argv, { env: serverEnv(server.url), terminal: 200 });
  return { out, err, lines: out.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, '|')) };
}

it('adds up the days of each user and model, the most tokens first', async () => {
  const rows = [
    row('2026-11-23', 'llama', 'ann', 10),
    row('2026-11-24', 'llama', 'ann', 20),
    row('2026-11-24', 'qwen', 'bob', 900),
  ];
  const head = 'MODEL|USER|REQUESTS|ABORTED|ESTIMATED|TOKENS IN|TOKENS OUT';
  expect((await usage(rows)).lines).toEqual([
    ...[head, 'qwen|bob|2|1|0|900|5', 'llama|ann|4|2|0|30|10', ''],
  ]);
  expect((await usage(rows, '--by-day')).lines).toEqual([
    ...[`DAY|${head}`, '2026-11-23|llama|ann|2|1|0|10|5', '2026-11-24|llama|ann|2|1|0|20|5'],
    ...['2026-11-24|qwen|bob|2|1|0|900|5', ''],
  ]);
  expect(JSON.parse((await usage(rows, '--json')).out)).toEqual({ usage: rows });
});

it('reports that there was no request', async () => {
  const { out, err } = await usage([]);
  expect(out + err).toContain('No requests to models.');
});
