import { expect, test } from 'vitest';
import { apply } from '../../testing/apply-run.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { parseCommand } from '../../testing/parse-command.ts';
import type { ApplyOptions } from './apply-options.ts';
import { declareApply } from './declare.ts';

async function parsed(argv: readonly string[]): Promise<ApplyOptions> {
  let options: ApplyOptions | null = null;
  const keep = async (given: ApplyOptions): Promise<void> => {
    options = given;
  };
  await parseCommand((program, cli) => declareApply(program, cli, keep), ['apply', ...argv]);
  if (options === null) throw new Error('nothing was parsed');
  return options;
}

test.each<[string[], object]>([
  [['-f', 'x.yml', '-y', '-d'], { file: 'x.yml', yes: true, detach: true, force: false }],
  [['-e', 'A=1', '-e', 'B'], { flags: { env: ['A=1', 'B'] } }],
  [['-p', '80:8080', '--host', '0.0.0.0'], { flags: { ports: ['80:8080'], host: '0.0.0.0' } }],
  [['--gpu', 'H100:2', '--cpu=4..'], { flags: { gpu: 'H100:2', cpu: '4..' } }],
  [['--spot'], { flags: { profile: { spotPolicy: 'spot' } } }],
  [['--on-demand'], { flags: { profile: { spotPolicy: 'on-demand' } } }],
  [['--spot-auto'], { flags: { profile: { spotPolicy: 'auto' } } }],
  [['--retry'], { flags: { profile: { retry: true } } }],
  [['--no-retry'], { flags: { profile: { retry: false } } }],
  [[], { flags: { profile: { retry: null, profile: null }, repo: { repo: null }, maxOffers: 3 } }],
  [
    ['--no-profile', '--no-repo'],
    { flags: { profile: { profile: false }, repo: { repo: false } } },
  ],
  [
    ['--profile', 'big', '-P', '.'],
    { flags: { profile: { profile: 'big' }, repo: { repo: '.' } } },
  ],
  [
    ['-b', 'aws', '-b', 'gcp', '-r', 'eu'],
    { flags: { profile: { backends: ['aws', 'gcp'], regions: ['eu'] } } },
  ],
  [['--', '--lr', '1'], { runArgs: ['--lr', '1'] }],
  [['-R'], { flags: { profile: { reuse: true } } }],
])('apply %j means %j', async (argv, expected) => {
  expect(await parsed(argv)).toMatchObject(expected);
});

test.each([
  [['--spot', '--on-demand']],
  [['-R', '--idle-duration', '1h']],
  [['--dont-destroy', '-R']],
  [['--retry', '--retry-duration', '1h']],
  [['--max-offers', '0']],
])('apply %j is refused', async (argv) => {
  await expect(parsed(argv)).rejects.toThrow();
});

test('options of another type are refused', async () => {
  const fake = await startFakeServer({});
  const { code, err } = await apply('type: fleet\nname: f\nnodes: 1\n', ['--gpu', 'H100'], fake);
  expect(code).toBe(2);
  expect(err).toContain('Unrecognized arguments: --gpu');
});
