import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startFakeServer } from '../../testing/fake-server.ts';
import {
  type RunOptions,
  runCommand,
  serverEnv,
  withDirectory,
} from '../../testing/run-command.ts';

const USER = { username: 'ann', global_role: 'user' };

async function doctor(
  more: Parameters<typeof startFakeServer>[0] = {},
  { argv = [], ...options }: RunOptions & { readonly argv?: readonly string[] } = {},
) {
  const fake = await startFakeServer({
    'POST /api/server/get_info': { json: { server_version: '0.22.5' } },
    'GET /healthcheck': { json: { status: 'running' } },
    'POST /api/users/get_my_user': { json: USER },
    'POST /api/projects/main/get': {
      json: { project_name: 'main', members: [{ user: USER, project_role: 'manager' }] },
    },
    'POST /api/project/main/fleets/list': { json: [{ name: 'f', instances: [] }] },
    ...more,
  });
  fake.now = Date.now();
  return runCommand(['doctor', ...argv], {
    ...options,
    env: { ...serverEnv(fake.url), ...options.env },
    now: Date.now(),
  });
}

test('a healthy installation has only checks that succeed', async () => {
  const { code, out } = await doctor();
  expect(code).toBe(0);
  expect(out).not.toContain('✗');
  expect(out).toMatch(/✓ server +http\S+ answers in \d+ ms, API 0.22.5/);
  expect(out).toContain('user ann (manager of the project), project main');
  expect(out).toMatch(/✓ clock/);
});

test('admins see that the host of the server has another time than its database', async () => {
  const admin = { ...USER, global_role: 'admin' };
  const { out } = await doctor({
    'POST /api/users/get_my_user': { json: admin },
    'GET /api/server/status': { json: { clock_lead_seconds: -3600 } },
  });
  expect(out).toContain("the clock of the server's host is 3600 s behind its database");
});

test('admins see how many files the server has open, and are warned before it runs out', async () => {
  const openFiles = async (open_files: number) => {
    const { out } = await doctor({
      'POST /api/users/get_my_user': { json: { ...USER, global_role: 'admin' } },
      'GET /api/server/status': { json: { open_files, open_files_limit: 1024 } },
    });
    return out;
  };
  expect(await openFiles(819)).toMatch(/✓ files +the server has 819 of at most 1024 files open/);
  const high = await openFiles(820);
  expect(high).toMatch(/! files +the server has 820 of at most 1024 files open/);
  expect(high).toContain('LimitNOFILE');
});

test('admins see what answers requests to services', async () => {
  const services = async (name: string, problem: string | null) => {
    const { out } = await doctor({
      'POST /api/users/get_my_user': { json: { ...USER, global_role: 'admin' } },
      'GET /api/server/status': { json: { service_engine: { name, problem } } },
    });
    return out;
  };
  expect(await services('nginx', null)).toMatch(/✓ services +nginx answers plain requests/);
  expect(await services('workers', null)).toMatch(/DSTACK_SERVER_PROXY is\s+not nginx/);
  expect(await services('nginx', 'its port is in use')).toMatch(
    /! services +nginx does not run: its port is in use/,
  );
});

test('instances that cannot start jobs are a warning, with the finding of their check', async () => {
  const health_message = 'executor: Docker does not answer';
  const instances = [
    { name: 'lab-0', status: 'idle', health_status: 'failure', health_message },
    { name: 'lab-1', status: 'idle' },
  ];
  const { out } = await doctor({
    'POST /api/project/main/fleets/list': { json: [{ name: 'lab', instances }] },
  });
  expect(out).toMatch(/! fleets +1 of 2 instances cannot start jobs: lab-0: executor: Docker does/);
  expect(out).toContain('dstack explain instance lab-0');
});

test.each([
  ['HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n', 'answers with status 500'],
  [
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    'does not answer as Docker does',
  ],
  ['no HTTP\r\n\r\n', 'does not answer (Parse Error'],
])(
  'Docker whose daemon does not work is a warning, although its socket is there: %j',
  async (answer, problem) => {
    const dir = mkdtempSync(join(tmpdir(), 'doctor-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'docker.sock');
    const daemon = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write(answer));
    });
    onTestFinished(() => void daemon.close());
    await once(daemon.listen(path), 'listening');
    const { out } = await doctor({}, { env: { DOCKER_HOST: `unix://${path}` } });
    expect(out).toContain(`! docker     Docker at unix://${path} ${problem}`);
  },
);

test('an empty DOCKER_HOST is none', async () => {
  const { out } = await doctor({}, { env: { DOCKER_HOST: '' } });
  expect(out).not.toContain('which was not asked');
});

test('admins see from when on old runs are deleted, in the column and with the zone of the others', async () => {
  const deletes_from = new Date(Date.now() + 7 * 86_400_000).toISOString();
  const { out } = await doctor({
    'POST /api/users/get_my_user': { json: { ...USER, global_role: 'admin' } },
    'GET /api/server/usage': {
      json: {
        ...{ measured_at: deletes_from, database_bytes: 1, free_bytes: null, shrinks: true },
        ...{ disk_free_bytes: null, log_bytes: null, upload_bytes: null, kinds: [] },
        ...{ deletes_from: deletes_from.replace('Z', '492Z'), due_runs: 0 },
      },
    },
  });
  const day = deletes_from.slice(0, 16).replace('T', ' ');
  expect(out).toContain(`Old runs and logs are deleted from ${day} UTC on`);
  const columns = out
    .split('\n')
    .filter((line) => /^[✓!✗] /.test(line))
    .map((line) => /^\S \S+ +/.exec(line)?.[0].length);
  expect(new Set(columns).size).toBe(1);
});

test('a refused token is a failure with its remedy, and nothing secret is printed', async () => {
  const detail = [{ msg: 'Invalid token', code: 'error' }];
  const { code, out } = await doctor({
    'POST /api/users/get_my_user': { status: 403, json: { detail } },
  });
  expect(code).toBe(1);
  expect(out).toMatch(/✗ token +The server does not accept your token/);
  expect(out).toContain('next: dstack project add');
  expect(out).not.toContain('secret-token');
});

test('as JSON each check has a state, and the backends of the server are checked for admins', async () => {
  const sweep = { project_name: 'main', backend: 'aws', error: 'AuthFailure' };
  const swept = { ...sweep, backend: 'gcp', swept_at: '2020-01-01T00:00:00Z', error: null };
  const sweeps = [sweep, swept, { ...swept, backend: 'oci', swept_at: null }];
  const admin = { ...USER, global_role: 'admin' };
  const { code, out } = await doctor(
    {
      'POST /api/users/get_my_user': { json: admin },
      'GET /api/server/orphans': { json: { orphans: [], sweeps } },
    },
    { argv: ['--json'] },
  );
  const { ok, checks } = JSON.parse(out);
  expect([code, ok]).toEqual([1, false]);
  expect(checks).toContainEqual({
    name: 'backend',
    state: 'failed',
    text: 'backend aws of project main: AuthFailure',
    fix: 'correct its credentials, or the way from the server to it',
  });
  const texts = (checks as { text: string }[]).map(({ text }) => text).join('\n');
  expect(texts).toMatch(/backend gcp of project main was compared with the records \d+ years ago/);
  expect(texts).toContain('backend oci of project main has not been compared with the records yet');
});

test('what each backend answers to the server is reported, with the missing permission', async () => {
  const problem = 'ec2:CreateTags: add it to the policy of the user';
  const answer = (status: string, more: object) => ({
    status,
    problem: null,
    permissions: [],
    ...more,
  });
  const { code, out } = await doctor({
    'POST /api/project/main/backends/check': {
      json: [
        answer('ok', { backend: 'local' }),
        answer('ok', {
          backend: 'kubernetes',
          permissions: [
            { name: 'get pods', ok: true, problem: null },
            { name: 'no copy', ok: true, problem: 'pods would start faster' },
          ],
        }),
        answer('denied', { backend: 'aws', problem }),
        answer('unreachable', { backend: 'gcp', problem: 'no answer within 15 s' }),
      ],
    },
  });
  expect(code).toBe(1);
  expect(out).toContain('✓ backend    local: reachable, and no permission is missing');
  expect(out).toContain('✓ backend    kubernetes: reachable, and no permission is missing');
  expect(out).toContain('✓ backend    kubernetes: pods would start faster');
  expect(out).toContain(`✗ backend    aws: ${problem}`);
  expect(out).toContain('✗ backend    gcp: no answer within 15 s');
});

test('backends are not checked for users without the right, and that does not fail', async () => {
  const refused = { status: 403, json: { detail: 'Access denied' } };
  const { code, out } = await doctor({ 'POST /api/project/main/backends/check': refused });
  expect(code).toBe(0);
  expect(out).toContain('not checked: that needs the role admin in the project');
});

test('in a narrow terminal each text stands beside its name, in lines that fit', async () => {
  const { out } = await doctor({}, { terminal: 40 });
  expect(out).toMatch(/token {6}user ann \(manager of the\n {13}project\), project main\n/);
});

test('without a configuration the ways to get one are named', () =>
  withDirectory(async (home) => {
    const { code, out } = await runCommand(['doctor'], { home });
    expect(code).toBe(1);
    expect(out).toMatch(/✗ config[\s\S]*dstack login --url URL/);
  }));

test('--debug prints requests without secrets', async () => {
  const fake = await startFakeServer({ 'GET /api/cost': { json: {} } });
  const { err } = await runCommand(['cost', '--debug'], { env: serverEnv(fake.url) });
  expect(err).toMatch(/GET \/api\/cost 200 \d+ ms/);
  expect(err).not.toContain('secret-token');
});
