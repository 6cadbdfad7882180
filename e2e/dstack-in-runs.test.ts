import { cpSync, existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Installation } from '@dstack/testkit';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { startHosts, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dockerInstallation } from './docker.ts';
import {
  allIdle,
  applySshFleet,
  IMAGE,
  missingForHosts,
  onFleet,
  untilInstances,
} from './hosts.ts';
import {
  applyFleet,
  isFinished,
  isRunning,
  newInstallation,
  productForJobs,
  sharedFile,
  sharedFolder,
  submit,
  untilRun,
} from './installation.ts';
import { officialClient } from './official-client/official-client.ts';

const logsOf = async (home: Installation, name: string) =>
  (await home.ok('logs', name)).replaceAll('\r', '');

/** Runs a task to its end and returns its output. */
async function outputOf(home: Installation, name: string, commands: string[], more: string) {
  await submit(home, name, commands, more);
  const run = await untilRun(home, name, isFinished);
  const output = await logsOf(home, name);
  expect({ name, status: run.status, output }).toMatchObject({ status: 'done' });
  return output;
}

/** A request by curl, as any program could send it; prints body and status in one line. */
const ask = (path: string, body = '{}') =>
  `curl -sS --unix-socket /run/dstack/server.sock -w ' %{http_code}\\n' http://x${path}` +
  ` -H "Authorization: Bearer $DSTACK_TOKEN" -d '${body}'`;

describe('a process with `dstack: true`', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation({ DSTACK_LOCAL_TRUSTED: '1' });
    await home.startServer();
    await applyFleet(home, '0..3');
  });
  afterAll(async () => {
    await home?.dispose();
  });

  const more = 'dstack: true\n';

  /** A request over the socket, with the token that a job has written to a file. */
  function call(file: string, path: string, body: object): Promise<string> {
    const [url = '', token = ''] = readFileSync(file, 'utf8').trim().split(' ');
    const socketPath = decodeURIComponent(url.replace('http+unix://', ''));
    return new Promise((resolve) => {
      const headers = { authorization: `Bearer ${token}`, host: 'x' };
      const outgoing = request({ socketPath, path, method: 'POST', headers });
      outgoing.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? ''));
      outgoing.on('response', async (response) =>
        resolve(`${response.statusCode} ${await text(response)}`),
      );
      outgoing.end(JSON.stringify(body));
    });
  }

  const leave = (file: string) => `echo "$DSTACK_SERVER_URL $DSTACK_TOKEN" > ${file}`;

  it('reaches its project by the command line without further settings', async () => {
    const program = productForJobs(home);
    const yaml = 'type: task\\nname: made\\ncommands: [echo made inside]\\nresources: {gpu: 0}\\n';
    const output = await outputOf(
      home,
      'outer',
      [
        'echo "project=$DSTACK_PROJECT token=$DSTACK_TOKEN"',
        `${program} ps`,
        `printf '${yaml}' > made.dstack.yml && ${program} apply -f made.dstack.yml -y -d`,
        `${program} secret list || echo "no secrets: $?"`,
      ],
      more,
    );
    expect(output).toContain('project=main token=***');
    expect(output).toMatch(/outer .*running/);
    expect(output).toContain('no secrets: ');
    await untilRun(home, 'made', isFinished);
    expect(await logsOf(home, 'made')).toContain('made inside');
  });

  it('keeps the access over restarts of the server, and loses it at its end', async () => {
    const file = sharedFile(home);
    await submit(home, 'long', [leave(file), 'sleep 1000'], more);
    await untilRun(home, 'long', isRunning);
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('dstack_st_job_'));
    const list = () => call(file, '/api/runs/list', {});
    expect(await list()).toMatch(/^200 /);
    await home.stopServer();
    await home.startServer();
    expect(await list()).toMatch(/^200 /);
    const [, token = ''] = readFileSync(file, 'utf8').trim().split(' ');
    const outside = home.api('/api/runs/list', {}, token);
    await expect(outside).rejects.toThrow(/403/);
    await home.ok('stop', 'long', '-y', '-x');
    await untilRun(home, 'long', isFinished);
    await vi.waitFor(async () => expect(await list()).toMatch(/^(ENOENT|ECONNREFUSED)$/));
  });

  it('loses it when its user leaves the project', async () => {
    await home.api('/api/users/create', { username: 'bob', global_role: 'user' });
    const bob = await home.api<{ creds: { token: string } }>('/api/users/get_user', {
      username: 'bob',
    });
    const members = [{ username: 'bob', project_role: 'user' }];
    await home.api('/api/projects/main/add_members', { members });
    const file = sharedFile(home);
    const run_spec = {
      run_name: 'bobs',
      configuration: {
        ...{ type: 'task', dstack: true, resources: { gpu: 0 } },
        commands: [leave(file), 'sleep 1000'],
      },
      profile: { name: 'default' },
    };
    const plan = { plan: { run_spec }, force: false };
    await home.api('/api/project/main/runs/apply', plan, bob.creds.token);
    await untilRun(home, 'bobs', isRunning);
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('dstack_st_job_'));
    expect(await call(file, '/api/users/get_my_user', {})).toMatch(/^200 .*"username":"bob"/);
    await home.api('/api/projects/main/remove_members', { usernames: ['bob'] });
    expect(await call(file, '/api/users/get_my_user', {})).toMatch(/^403 /);
    expect(await call(file, '/api/project/main/volumes/list', {})).toMatch(/^403 /);
    await home.ok('stop', 'bobs', '-y', '-x');
  });

  it('keeps the server and the token of its configuration, and gets no other token', async () => {
    const output = await outputOf(
      home,
      'elsewhere',
      ['echo "url=$DSTACK_SERVER_URL token=${DSTACK_TOKEN:-none}"'],
      `${more}env: [DSTACK_SERVER_URL=https://other.example]\n`,
    );
    expect(output).toContain('url=https://other.example token=none');
    const own = await outputOf(
      home,
      'own-token',
      ['echo "token=$DSTACK_TOKEN"'],
      `${more}env: [DSTACK_TOKEN=mine]\n`,
    );
    expect(own).toContain('token=mine');
  });

  for (const version of ['0.22.5', '0.21.5']) {
    const { path, missing } = officialClient(version);
    if (missing) console.warn(`dstack ${version} in runs is NOT tested: ${missing}`);
    it.skipIf(path === null)(`reaches it by the official client ${version}`, async () => {
      // Jobs may not see the clone, in which the client is installed.
      const copy = join(sharedFolder(home), 'client');
      cpSync(path ?? '', copy, { recursive: true, verbatimSymlinks: true });
      const python = join(copy, 'bin', 'python');
      const output = await outputOf(
        home,
        `official-${version.replaceAll('.', '-')}`,
        [
          `${python} ${join(copy, 'bin', 'dstack')} ps -a`,
          `${python} -c "${[
            'from dstack.api import Client',
            'import os',
            "url, token = os.environ['DSTACK_SERVER_URL'], os.environ['DSTACK_TOKEN']",
            "client = Client.from_config(project_name='main', server_url=url, user_token=token)",
            "print('runs', len(client.runs.list()) > 0)",
            "print('user', client.client.users.get_my_user().username)",
          ].join('; ')}"`,
        ],
        // The client's Python may be readable by root only.
        `${more}user: root\n`,
      );
      expect(output).toMatch(/official-.*running/);
      expect(output).toContain('runs True');
      expect(output).toContain('user admin');
    });
  }
});

const noDocker = dockerMissing() ?? (existsSync('/usr/bin/curl') ? null : 'curl');
if (noDocker) console.warn(`dstack in containers is NOT tested: ${noDocker} is missing`);

describe.skipIf(noDocker !== null)('a container with `dstack: true`', () => {
  let engine: TestDocker;
  let home: Installation;
  beforeAll(async () => {
    engine = await startDocker();
    await engine.programs('curl:test', ['/bin/bash', '/usr/bin/curl', '/usr/bin/touch']);
    home = dockerInstallation(engine);
    await home.startServer();
    await applyFleet(home, '0..2');
  });
  afterAll(async () => {
    await home?.dispose();
    await engine?.close();
  });

  it.each([
    ['root', ''],
    ['nobody', 'user: "65534:65534"\n'],
  ])('reaches its project as %s, and changes nothing beside the socket', async (name, user) => {
    const output = await outputOf(
      home,
      `boxed-${name}`,
      [
        'echo "at $DSTACK_SERVER_URL"',
        ask('/api/users/get_my_user'),
        ask('/api/project/main/volumes/list'),
        ask('/api/project/other/volumes/list'),
        'touch /run/dstack/x || echo "read-only"',
        'echo /run/dstack/*',
      ],
      `dstack: true\nimage: curl:test\nshell: bash\n${user}`,
    );
    expect(output).toContain('at http+unix://%2Frun%2Fdstack%2Fserver.sock');
    expect(output).toMatch(/"username":"admin".* 200\n/);
    expect(output).toContain('[] 200\n');
    expect(output).toMatch(/ 40[34]\n/);
    expect(output).toContain('read-only');
    expect(output).toMatch(/^\/run\/dstack\/server\.sock$/m);
  });

  it('gets no socket and no token without `dstack: true`', async () => {
    const lines = ['echo "[$DSTACK_TOKEN$DSTACK_SERVER_URL]"', 'echo /run/dstack*'];
    const output = await outputOf(home, 'plain', lines, 'image: curl:test\nshell: bash\n');
    expect(output).toContain('[]\n/run/dstack*\n');
  });
});

const noHosts = missingForHosts();

describe.skipIf(noHosts !== null || noDocker !== null)('a job on an SSH host', () => {
  let machines: TestHosts;
  let home: Installation;
  beforeAll(async () => {
    machines = await startHosts({ count: 1 });
    await machines.busybox(IMAGE);
    home = newInstallation();
    await home.startServer();
    await applySshFleet(home, machines, 'lab', machines.hosts);
    await untilInstances(home, 'lab', allIdle);
  });
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  it("reaches the server through the server's link to the host", async () => {
    const volumes = 'volumes: ["/usr:/usr", "/usr/lib:/lib", "/usr/lib64:/lib64"]\n';
    const output = await outputOf(
      home,
      'remote',
      [ask('/api/users/get_my_user'), ask('/api/runs/list')],
      `${onFleet('lab')}dstack: true\n${volumes}`,
    );
    expect(output).toMatch(/"username":"admin".* 200\n/);
    expect(output).toMatch(/"remote".* 200\n/);
  });
});
