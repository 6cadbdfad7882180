import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { COMMANDS } from './program.ts';
import { runEvent, startFakeServer, wireError } from './testing/fake-server.ts';
import { recordedAnswer } from './testing/recordings.ts';
import { runCommand, serverEnv, withDirectory } from './testing/run-command.ts';

const BASE = '/api/project/main';

test.each([[[]], [['--help']], [['-h']], [['help']]])('%j prints every command', async (argv) => {
  const { out, code } = await runCommand(argv);
  expect(code).toBe(0);
  for (const { name } of COMMANDS) expect(out).toContain(`  ${name} `);
});

test.each([[['-v']], [['--version']]])('%j prints the version alone', async (argv) => {
  expect((await runCommand(argv)).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each(COMMANDS.map((c) => [c.name]))('%s prints its help', async (name) => {
  const { out, code } = await runCommand([name, '--help']);
  expect(code).toBe(0);
  expect(out).toContain(`Usage: dstack ${name}`);
  expect(out).toContain('Exit codes:');
});

test.each([
  [['pss'], 'next: did you mean dstack ps? (dstack --help)'],
  [['flet'], 'next: did you mean dstack fleet?'],
  [['fleet', 'lst'], 'next: dstack fleet list'],
  [['run', 'xyzzy'], 'why:  known: get'],
  [['xyzzy'], 'next: dstack --help\n'],
  // Not `stop`, which is one letter away.
  [['tops'], 'did you mean dstack top? (dstack --help)\n'],
  [['--bogus'], 'Unknown option'],
  [['ps', '--bogus'], 'unknown option'],
  [['logs'], 'missing required argument'],
  [['project', 'member', 'add', 'bob', 'user'], 'next: dstack project member add --help\n'],
  [['ps', '--bogus'], 'next: dstack ps --help\n'],
  [['ps', '--project'], 'needs a value'],
  // `dstack user` and `dstack fleet` have these options.
  [['user', 'add', 'bob', '-o', 'json'], 'dstack user add has no option --output\n'],
  [['fleet', '--watch', 'delete', 'pool', '-y'], 'next: dstack fleet delete --help\n'],
])('%j is wrong usage', async (argv, message) => {
  const { out, err, code } = await runCommand(argv);
  expect([out, code]).toEqual(['', 2]);
  expect(err).toContain(message);
});

test('options may be cut short and --project may stand anywhere', async () => {
  const fake = await startFakeServer({ 'POST /api/runs/list': { json: [] } });
  const env = serverEnv(fake.url);
  await runCommand(['ps', '--al', '--project', 'lab'], { env });
  expect(fake.bodyOf('/api/runs/list')).toMatchObject({ project_name: 'lab', only_active: false });
});

test('secrets are read from the input, shown only when asked for, and deleted', async () => {
  const fake = await startFakeServer({
    [`POST ${BASE}/secrets/create_or_update`]: { json: {} },
    [`POST ${BASE}/secrets/list`]: { json: [{ id: '1', name: 'tok', value: null }] },
    [`POST ${BASE}/secrets/get`]: { json: { id: '1', name: 'tok', value: 'v' } },
    [`POST ${BASE}/secrets/delete`]: wireError('resource_not_exists', 'Secrets not found: x'),
  });
  const env = serverEnv(fake.url);
  expect((await runCommand(['secret', 'set', 'tok'], { env, input: 'v\n' })).err).toBe('OK\n');
  expect(fake.bodyOf(`${BASE}/secrets/create_or_update`)).toEqual({ name: 'tok', value: 'v' });
  expect((await runCommand(['secret', 'set', 'tok'], { env })).code).toBe(2);
  expect((await runCommand(['secret'], { env })).out).toBe(' NAME  VALUE\n tok   ******\n');
  expect((await runCommand(['secret', 'get', 'tok'], { env })).out).toContain(' tok   v');
  const deleted = await runCommand(['secret', 'delete', 'x', '-y'], { env });
  expect([deleted.code, deleted.err.split('\n')[0]]).toEqual([3, 'error: Secret x does not exist']);
});

test('set prints the notes of the server on a secret', async () => {
  const json = { id: '1', name: 'pin', value: '12', notes: ['pin is too short to be masked'] };
  const fake = await startFakeServer({ [`POST ${BASE}/secrets/create_or_update`]: { json } });
  const { err, code } = await runCommand(['secret', 'set', 'pin', '12'], {
    env: serverEnv(fake.url),
  });
  expect([err, code]).toEqual(['note: pin is too short to be masked\nOK\n', 0]);
});

test('tokens of programs are created, printed once, listed and revoked', async () => {
  const token = {
    id: '1',
    name: 'ci',
    scope: 'read',
    created_by: 'ann',
    created_at: '2026-11-23T15:00:00Z',
    expires_at: '2026-12-23T15:00:00Z',
    last_used_at: null,
    models: null,
    services: null,
    limits: { requests_per_minute: null, tokens_per_day: null, tokens_per_month: 99 },
    used: { day: 0, month: 10 },
  };
  const fake = await startFakeServer({
    [`POST ${BASE}/service_tokens/create`]: { json: { ...token, token: 'dstack_st_x' } },
    [`POST ${BASE}/service_tokens/list`]: { json: [token] },
    [`POST ${BASE}/service_tokens/delete`]: wireError('resource_not_exists', 'not found: x'),
  });
  const env = serverEnv(fake.url);
  const created = await runCommand(['token', 'create', 'ci', '--expires', '30d'], { env });
  expect(created.out).toBe('dstack_st_x\n');
  const none = { models: null, requests_per_minute: null, tokens_per_day: null };
  const unlimited = { ...none, tokens_per_month: null };
  const sent = { name: 'ci', scope: 'read', expires_in: 30 * 86_400, services: null, ...unlimited };
  expect(fake.bodyOf(`${BASE}/service_tokens/create`)).toEqual(sent);
  const argv = ['token', 'create', 'ci', '--model', 'a', 'b', '--tokens-per-month', '1.5M'];
  const limited = await startFakeServer({
    [`POST ${BASE}/service_tokens/create`]: { json: { ...token, token: 'dstack_st_y' } },
  });
  await runCommand(argv, { env: serverEnv(limited.url) });
  expect(limited.bodyOf(`${BASE}/service_tokens/create`)).toEqual({
    ...{ name: 'ci', scope: 'models', expires_in: null, services: null, ...unlimited },
    ...{ models: ['a', 'b'], tokens_per_month: 1_500_000 },
  });
  const forServices = ['token', 'create', 'ci', '--service', 'web', 'api'];
  const confined = await startFakeServer({
    [`POST ${BASE}/service_tokens/create`]: { json: { ...token, token: 'dstack_st_z' } },
  });
  await runCommand(forServices, { env: serverEnv(confined.url) });
  expect(confined.bodyOf(`${BASE}/service_tokens/create`)).toMatchObject({
    ...{ scope: 'services', services: ['web', 'api'], models: null },
  });
  for (const more of [
    ['--scope', 'user'],
    ['--model', 'a'],
  ]) {
    expect((await runCommand([...forServices, ...more], { env })).code).toBe(2);
  }
  const withoutServices = ['token', 'create', 'ci', '--scope', 'services'];
  expect((await runCommand(withoutServices, { env })).code).toBe(2);
  expect((await runCommand([...argv, '--scope', 'user'], { env })).code).toBe(2);
  expect((await runCommand(['token', 'create', 'ci', '--tokens-per-day', '0'], { env })).code).toBe(
    2,
  );
  expect((await runCommand(['token', 'create', 'ci', '--expires', 'soon'], { env })).code).toBe(2);
  expect((await runCommand(['token', 'create', 'ci', '--scope', 'root'], { env })).code).toBe(2);
  expect((await runCommand(['token'], { env })).out.split('\n')[1]).toBe(
    ' ci    read   -       -         -           10 of 99    ann  2026-12-23 15:00 UTC  -',
  );
  const deleted = await runCommand(['token', 'delete', 'x', '-y'], { env });
  expect([deleted.code, deleted.err.split('\n')[0]]).toEqual([3, 'error: Token x does not exist']);
});

test('exports and imports are listed from either form of the answer', async () => {
  const item = {
    id: '1',
    name: 'shared',
    is_global: false,
    imports: [{ project_name: 'team-a' }, { project_name: 'team-b' }],
    exported_fleets: [{ id: '2', name: 'pool' }],
    exported_gateways: [],
  };
  const fake = await startFakeServer({
    [`POST ${BASE}/exports/list`]: { json: { exports: [item], warnings: ['expires soon'] } },
    [`POST ${BASE}/imports/list`]: {
      json: [{ id: '1', export: { ...item, project_name: 'infra' } }],
    },
  });
  const env = serverEnv(fake.url);
  const exports = await runCommand(['export'], { env });
  expect(exports.out.split('\n')[1]).toBe(' shared  pool    -         team-a, team-b');
  expect(exports.err).toBe('warning: expires soon\n');
  expect((await runCommand(['import', 'list'], { env })).out).toContain(' infra/shared  pool    -');
});

test('a volume and a gateway have their tables', async () => {
  const volume = {
    name: 'data',
    configuration: { backend: 'aws', region: 'us-east-1' },
    status: 'active',
    created_at: '2026-11-23T15:00:00Z',
    attachments: [{ instance: { name: 'i', fleet_name: 'pool', instance_num: 0 } }],
    provisioning_data: { availability_zone: 'us-east-1a' },
  };
  const onHost = {
    ...volume,
    name: 'models',
    configuration: { backend: 'kubernetes', region: 'ssh:gpus' },
    provisioning_data: { availability_zone: 'gpus-1' },
  };
  const replica = (n: number, status: string) => ({
    replica_num: n,
    hostname: `203.0.113.${n}`,
    backend: 'aws',
    region: 'eu',
    status,
    created_at: '2026-11-23T15:00:00Z',
  });
  const gateway = {
    name: 'gw',
    project_name: 'main',
    configuration: { backend: 'aws', region: 'eu', domain: 'gw.example.com' },
    status: 'running',
    hostname: null,
    wildcard_domain: 'gw.example.com',
    default: true,
    replicas: [replica(1, 'running')],
    created_at: '2026-11-23T15:00:00Z',
  };
  const many = {
    ...gateway,
    name: 'ha',
    default: false,
    replicas: [replica(1, 'running'), replica(2, 'provisioning')],
  };
  const fake = await startFakeServer({
    [`POST ${BASE}/volumes/list`]: { json: [volume, onHost] },
    [`POST ${BASE}/gateways/list`]: { json: [gateway, many] },
  });
  const env = serverEnv(fake.url);
  expect((await runCommand(['volume'], { env })).out).toMatch(
    / data +aws \(us-east-1\) +active +yesterday/,
  );
  const { out: volumes } = await runCommand(['volume', 'list', '-v'], { env });
  expect(volumes).toContain('us-east-1 (us-east-1a)');
  expect(volumes).toMatch(/models +remote +gpus \(gpus-1\)/);
  expect((await runCommand(['volume'], { env })).out).toMatch(/ models +remote \(gpus\)/);
  const { out } = await runCommand(['gateway', 'list'], { env });
  expect(out.split('\n').map((line) => line.split(/\s{2,}/).map((c) => c.trim()))).toMatchObject([
    ['NAME', 'BACKEND', 'HOSTNAME', 'DOMAIN', 'DEFAULT', 'STATUS'],
    ['gw', 'aws (eu)', '203.0.113.1', 'gw.example.com', '✓', 'running'],
    ['ha', 'gw.example.com', 'running'],
    ['', 'replica=1', 'aws (eu)', '203.0.113.1', 'running'],
    ['', 'replica=2', 'aws (eu)', '203.0.113.2', 'provisioning'],
    [''],
  ]);
});

test('delete -f deletes what the file describes', () =>
  withDirectory(async (cwd) => {
    let deleted = false;
    const fake = await startFakeServer({
      [`POST ${BASE}/fleets/get`]: () =>
        deleted ? wireError('resource_not_exists', 'gone') : { json: { name: 'f' } },
      [`POST ${BASE}/fleets/delete`]: () => {
        deleted = true;
        return { json: null };
      },
    });
    await writeFile(join(cwd, '.dstack.yml'), 'type: fleet\nname: f\nnodes: 1\n');
    const options = { env: serverEnv(fake.url), cwd, home: cwd };
    expect((await runCommand(['delete'], { ...options, input: 'n\n' })).err).toContain(
      'Exiting...',
    );
    expect((await runCommand(['delete', '-y'], options)).err).toContain('Fleet f deleted');
    expect((await runCommand(['delete', '-y'], options)).code).toBe(3);
  }));

test('a run that has not ended is not deleted, and the error names the command that stops it', () =>
  withDirectory(async (cwd) => {
    const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
    const fake = await startFakeServer({
      [`POST ${BASE}/runs/get`]: { json: { ...run, status: 'running' } },
    });
    await writeFile(join(cwd, '.dstack.yml'), 'type: task\nname: train\ncommands: [ls]\n');
    const { code, err } = await runCommand(['delete'], {
      env: serverEnv(fake.url),
      cwd,
      home: cwd,
    });
    expect(code).toBe(1);
    expect(err).toMatch(/^error: Run train is running\n.*\n {2}next: dstack stop train\n$/);
  }));

test('validate needs no server', () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, 'ok.yml'), 'type: task\ncommands: [ls]\n');
    await writeFile(join(cwd, 'bad.yml'), 'type: task\ncommandz: [ls]\n');
    const good = await runCommand(['validate', 'ok.yml'], { cwd });
    expect([good.code, good.err]).toEqual([0, 'ok.yml: valid (task)\n']);
    const bad = await runCommand(['validate', 'bad.yml'], { cwd });
    expect(bad.code).toBe(1);
    expect(bad.err).toContain('bad.yml:2:1');
  }));

test.each([
  ['done', 'done', 0],
  ['done', 'failed', 3],
  ['running', 'running', 0],
  ['running', 'failed', 3],
  // The program of the recorded run has ended with 3.
])('wait --for %s ends with %s: exit code %i', async (state, status, code) => {
  const run = await recordedAnswer<object>('run-get-failed', `${BASE}/runs/get`);
  const fake = await startFakeServer({
    [`POST ${BASE}/runs/get`]: { json: run },
    [`GET ${BASE}/runs/watch`]: { events: [runEvent({ ...run, status })], open: true },
  });
  const result = await runCommand(['wait', 'r', '--for', state], { env: serverEnv(fake.url) });
  expect(result.code).toBe(code);
});

test('run get prints the run as JSON', async () => {
  const run = await recordedAnswer<object>('run-get-failed', `${BASE}/runs/get`);
  const fake = await startFakeServer({ [`POST ${BASE}/runs/get`]: { json: run } });
  const env = serverEnv(fake.url);
  const { out } = await runCommand(['run', 'get', 'r', '--json'], { env });
  expect(out).toBe(`${JSON.stringify(run, null, 2)}\n`);
  expect((await runCommand(['run', 'get', '--id', 'x'], { env })).code).toBe(2);
});

test('metrics are drawn with the latest values', async () => {
  const run = await recordedAnswer<object>('run-get-failed', `${BASE}/runs/get`);
  const timestamps = ['2026-11-24T15:59:50Z', '2026-11-24T15:59:40Z'];
  const fake = await startFakeServer({
    [`POST ${BASE}/runs/get`]: { json: run },
    [`GET ${BASE}/metrics/job/add080`]: { json: { metrics: [] } },
  });
  fake.set(
    `GET ${BASE}/metrics/job/${(run as { run_spec: { run_name: string } }).run_spec.run_name}`,
    {
      json: {
        metrics: [
          { name: 'cpu_usage_percent', timestamps, values: [50, 20] },
          { name: 'memory_working_set_bytes', timestamps, values: [1_073_741_824, 0] },
        ],
      },
    },
  );
  const { out } = await runCommand(['metrics', 'r'], { env: serverEnv(fake.url) });
  expect(out).toContain('UTILIZATION');
  expect(out).toMatch(/job=0 +cpu .* 50%.* 1GB\/11\.8GB\n/);
  expect(out).toContain('now');
  const request = fake.requests.find((r) => r.method === 'GET');
  expect(Object.fromEntries(request?.query ?? [])).toEqual({
    replica_num: '0',
    job_num: '0',
    limit: '1000',
  });
});

test.each(['bash', 'zsh', 'fish'])('there is a completion script for %s', async (shell) => {
  const { out, code } = await runCommand(['completion', shell]);
  expect(code).toBe(0);
  expect(out).toContain('dstack __complete');
});
