import type { Share } from '@dstack/contract/wire';
import { expect, it, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';
import { declareShare } from './share.ts';

const MAIN: Share = {
  ...{ project_name: 'main', user_name: null, weight: 2, usage: 182.75, rate: 8 },
  ...{ ratio: 95.375, next: 'train' },
};
const ANN: Share = { ...MAIN, user_name: 'ann', weight: 1, usage: 0.001, rate: 0, ratio: 0.001 };
const OTHER: Share = { ...MAIN, project_name: null, weight: 1, usage: 1035.25, next: null };

test.each<[string[], object]>([
  [['share'], { verbose: false, watch: false, format: 'table' }],
  [['share', '--json'], { verbose: false, watch: false, format: 'json' }],
])('%j means %j', async (argv, expected) => {
  let options: object | null = null;
  const keep = async (given: object): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declareShare(program, cli, keep), argv);
  expect(options).toEqual(expected);
});

async function share(shares: readonly Share[], ...options: string[]) {
  const server = await startFakeServer({
    'POST /api/project/main/shares/list': { json: { shares } },
  });
  const argv = ['--color', 'never', 'share', ...options];
  return await runCommand(argv, { env: serverEnv(server.url), terminal: 200 });
}

it('is a table of projects and their users, in which projects of others have no name', async () => {
  const { out } = await share([MAIN, ANN, OTHER]);
  expect(out.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, '|'))).toEqual([
    'PROJECT|USER|WEIGHT|GPU HOURS|NOW|RATIO|NEXT RUN',
    'main|-|2|183|8.00|95.38|train',
    'main|ann|1|<0.01|0.00|<0.01|train',
    'another project|-|1|1035|8.00|95.38|-',
    '',
  ]);
});

it('is JSON as the server has it', async () => {
  expect(JSON.parse((await share([MAIN], '--json')).out)).toEqual({ shares: [MAIN] });
});

it('prints that nothing is shared by weight', async () => {
  const { out, err } = await share([]);
  expect(out + err).toContain('Nothing is shared by weight');
});
