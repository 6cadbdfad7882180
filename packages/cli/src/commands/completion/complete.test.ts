import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Route, startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv, withDirectory } from '../../testing/run-command.ts';

const BASE = '/api/project/main';

const run = (name: string, status = 'running') => ({
  run_spec: { run_name: name },
  status,
  submitted_at: '2026-11-24T15:58:00Z',
});
const RUNS = [run('alpha'), run('beta', 'failed'), run('alpha', 'done')];

const ROUTES: Readonly<Record<string, Route>> = {
  'POST /api/runs/list': ({ body }) => ({
    json: (body as { only_active: boolean }).only_active ? RUNS.slice(0, 1) : RUNS,
  }),
  [`POST ${BASE}/fleets/list`]: {
    json: [{ name: 'lab', status: 'active', instances: [{ name: 'lab-0', status: 'idle' }] }],
  },
  [`POST ${BASE}/volumes/list`]: { json: [{ name: 'data', status: 'active' }] },
  [`POST ${BASE}/secrets/list`]: { json: [{ name: 'hf_token' }] },
  [`POST ${BASE}/gateways/list`]: { json: [{ name: 'gw', status: 'running' }] },
  [`POST ${BASE}/service_tokens/list`]: { json: [{ name: 'ci' }] },
  'POST /api/users/list': { json: [{ username: 'ann' }] },
  'POST /api/projects/main/get': {
    json: { members: [{ user: { username: 'bob' }, project_role: 'user' }] },
  },
  [`POST ${BASE}/imports/list`]: {
    json: { imports: [{ export: { project_name: 'infra', name: 'shared' } }], warnings: [] },
  },
};

const CONFIG = `projects:
- {name: lab, url: "http://127.0.0.1:1", token: t, default: true}
- {name: main, url: "http://127.0.0.1:1", token: t}
`;

/** The values for the last of `words`, without descriptions. */
async function answers(words: readonly string[], routes = ROUTES): Promise<string[]> {
  const fake = await startFakeServer(routes);
  return withDirectory(async (home) => {
    await mkdir(join(home, '.dstack'));
    await writeFile(join(home, '.dstack', 'config.yml'), CONFIG);
    await writeFile(join(home, '.dstack', 'profiles.yml'), 'profiles: [{name: big}]\n');
    const env = serverEnv(fake.url);
    const { out, code } = await runCommand(['__complete', ...words], { env, home, cwd: home });
    expect(code).toBe(0);
    return out.split('\n').flatMap((line) => line.split('\t')[0] || []);
  });
}

test.each<[string, string[]]>([
  // Commands and parts of them.
  ['fl', ['fleet']],
  ['--project lab fl', ['fleet']],
  ['fleet li', ['list']],
  ['fleet --verbose li', ['list']],
  ['destroy ', [':files']],
  ['nonsense x', []],
  // Names of runs.
  ['logs ', ['alpha', 'beta']],
  ['logs a', ['alpha']],
  ['logs -n 5 ', ['alpha', 'beta']],
  ['logs --lines=5 ', ['alpha', 'beta']],
  ['ssh ', ['alpha']],
  ['attach ', ['alpha']],
  ['wait ', ['alpha']],
  ['stop ', ['alpha']],
  ['stop alpha ', []],
  ['metrics ', ['alpha', 'beta']],
  ['run get ', ['alpha', 'beta']],
  ['ssh alpha ls', []],
  ['ssh alpha -- ', []],
  ['exec ', ['alpha']],
  ['exec alpha --job 0 -- ', []],
  ['port-forward ', ['alpha']],
  ['port-forward alpha ', []],
  ['open ', ['alpha', 'beta']],
  ['cp ', [':files']],
  // Names of other objects.
  ['user remove ', ['ann']],
  ['user role ann ', ['user', 'admin']],
  ['user add ', []],
  ['project member add ', ['ann']],
  ['project member remove ', ['bob']],
  ['project member role bob ', ['user', 'manager', 'admin']],
  ['project mem', ['member']],
  ['project member r', ['role', 'remove']],
  ['fleet get ', ['lab']],
  ['fleet delete ', ['lab']],
  ['volume get ', ['data']],
  ['gateway get ', ['gw']],
  ['secret get ', ['hf_token']],
  ['secret set ', ['hf_token']],
  ['token delete ', ['ci']],
  ['token create ', []],
  ['import delete ', ['infra/shared']],
  ['explain fleet ', ['lab']],
  ['explain instance ', ['lab-0']],
  ['explain service ', ['alpha', 'beta']],
  ['explain vol', ['volume']],
  ['explain al', ['alpha']],
  ['project delete ', ['lab', 'main']],
  ['project set-default ', ['lab', 'main']],
  // Values of options.
  ['cost --by ', ['run', 'user', 'project', 'fleet', 'gpu', 'day']],
  [
    'init --template ',
    ['hello', 'dev', 'service', 'train', 'cluster', 'fleet', 'volume', 'gateway'],
  ],
  ['logs alpha --ti', ['--timestamps']],
  ['ps --project ', ['lab', 'main']],
  ['--project ', ['lab', 'main']],
  ['ps --project=', ['--project=lab', '--project=main']],
  ['ps -o n', ['name']],
  ['ps --output=y', ['--output=yaml']],
  ['ps --color ', ['auto', 'always', 'never']],
  ['wait alpha --for ', ['running', 'done']],
  ['token create x --scope ', ['models', 'services', 'read', 'user', 'manager', 'admin']],
  ['apply --spot-policy ', ['spot', 'on-demand', 'auto']],
  ['apply --profile ', ['big']],
  ['apply --fleet ', ['lab']],
  ['apply --fleet=l', ['--fleet=lab']],
  ['apply --gpu H10', ['H100', 'H100NVL']],
  ['apply -b aw', ['aws']],
  ['apply -h vol', ['volume']],
  ['offer --group-by b', ['backend']],
  ['event --target-run ', ['alpha', 'beta']],
  ['event --within-fleet ', ['lab']],
  ['event --include-target-type gateway-', ['gateway-replica']],
  ['completion ', ['bash', 'zsh', 'fish']],
  // Files of the user.
  ['apply -f ', [':files']],
  ['apply ', [':files']],
  ['validate ', [':files']],
  ['validate a.yml ', [':files']],
  ['delete ', [':files']],
  ['ssh alpha --ssh-identity ', [':files']],
  // Options.
  ['ps --wat', ['--watch']],
  ['volume list --j', ['--json']],
  ['ps --deb', ['--debug']],
])('dstack %s', async (line, expected) => {
  expect(await answers(line.split(' '))).toEqual(expected);
});

test('descriptions of runs have their status and age', async () => {
  const fake = await startFakeServer(ROUTES);
  const { out } = await runCommand(['__complete', 'logs', ''], { env: serverEnv(fake.url) });
  expect(out).toBe('alpha\trunning, 2 mins ago\nbeta\tfailed, 2 mins ago\n');
});

test('hidden options are not completed', async () => {
  expect(await answers(['ps', '--form'])).toEqual([]);
});

test('the project of the line is the one whose names are listed', async () => {
  const fake = await startFakeServer({ 'POST /api/runs/list': { json: [] } });
  const words = ['logs', '--project', 'lab', ''];
  await runCommand(['__complete', ...words], { env: serverEnv(fake.url) });
  expect(fake.bodyOf('/api/runs/list')).toMatchObject({ project_name: 'lab' });
});

test('names are asked for once in ten seconds, and kept where only the user can read them', () =>
  withDirectory(async (home) => {
    const fake = await startFakeServer(ROUTES);
    const at = (now: number, word: string) =>
      runCommand(['__complete', 'logs', word], { env: serverEnv(fake.url), home, now });
    await at(1_000_000, 'a');
    expect((await at(1_009_000, 'b')).out).toMatch(/^beta\t/);
    expect(fake.calls).toHaveLength(1);
    await at(1_010_000, '');
    expect(fake.calls).toHaveLength(2);
    expect(await readdir(join(home, '.cache', 'dstack', 'completion'))).toHaveLength(1);
  }));

test('names that a shell would carry out are not completed', async () => {
  const names = [
    ...['$(touch x)', '`touch x`', 'a;b', 'a b', "a'b", 'a\nb', '\u001b[2J', '../a', 'good-1'],
  ];
  const json = names.map((name) => run(name));
  const found = await answers(['logs', ''], { 'POST /api/runs/list': { json } });
  expect(found).toEqual(['good-1']);
});

test('a failing completion prints nothing', async () => {
  const { out, err, code } = await runCommand(['__complete', 'logs', 'a']);
  expect([out, err, code]).toEqual(['', '', 0]);
});

test.each(['bash', 'zsh', 'fish'])('there is a completion script for %s', async (shell) => {
  const { out, code } = await runCommand(['completion', shell]);
  expect(code).toBe(0);
  expect(out).toContain('dstack __complete');
});
