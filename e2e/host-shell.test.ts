import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '@dstack/testkit';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { addUser } from './host-kinds.ts';
import {
  afterFailure,
  allIdle,
  IMAGE,
  missingForHosts,
  onFleet,
  sshConfig,
  untilInstances,
} from './hosts.ts';
import {
  configuration,
  isFinished,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const missing = missingForHosts();

const FOREIGN = '# mine\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMINE me@home dstack:mine\n';
const NO_SHELL = /no shell on their host: ssh to the run itself/;

describe.skipIf(missing !== null)('a shell of an SSH host', () => {
  let machines: TestHosts;
  let host: TestHost;
  let home: Installation;
  /** Tokens of users, by name. */
  const tokens: Record<string, string> = {};

  beforeAll(async () => {
    machines = await startHosts({ count: 1 });
    host = machines.hosts[0] as TestHost;
    await machines.busybox(IMAGE);
    home = newInstallation();
    await home.startServer();
    await addUser(host, 'dev', 'dev ALL=(ALL) NOPASSWD: ALL');
    await host.exec(
      `mkdir -m 700 /home/dev/.ssh; printf '%s' '${FOREIGN}' > /home/dev/.ssh/authorized_keys; chmod 640 /home/dev/.ssh/authorized_keys; chown -R dev: /home/dev/.ssh`,
    );
    for (const name of ['mary', 'bob', 'carol']) await makeUser(name);
    await home.api('/api/projects/create', { project_name: 'lab' });
    await setMembers('lab', { carol: 'manager' });
    await setMembers('main', { mary: 'manager', bob: 'user' });
    await applyHosts();
    await submit(home, 'web', ['sleep 600'], onFleet('rack'));
    await untilRun(home, 'web', isRunning);
  });
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
  });

  async function makeUser(username: string): Promise<void> {
    await home.api('/api/users/create', { username, global_role: 'user' });
    const made = await home.api<{ creds: { token: string } }>('/api/users/get_user', { username });
    tokens[username] = made.creds.token;
    await saveKey(username);
  }

  async function saveKey(username: string): Promise<void> {
    const mine = await home.api<{ ssh_private_key: string }>(
      '/api/users/get_my_user',
      {},
      tokens[username],
    );
    writeFileSync(keyOf(username), mine.ssh_private_key, { mode: 0o600 });
  }

  const keyOf = (username: string) => join(home.home, `key-of-${username}`);

  const setMembers = (project: string, roles: Record<string, string>) =>
    home.api(`/api/projects/${project}/set_members`, {
      members: Object.entries({ admin: 'admin', ...roles }).map(([username, project_role]) => ({
        ...{ username, project_role },
      })),
    });

  async function applyHosts(): Promise<void> {
    const yaml = `type: fleet\nname: rack\nssh_config:\n  user: dev\n  identity_file: ${machines.keyPath}\n  hosts: ["${host.address}"]\n`;
    await home.ok('apply', '-f', configuration(home, 'rack.dstack.yml', yaml), '-y', '-d');
    await untilInstances(home, 'rack', allIdle);
  }

  /** The output of `ssh` as this user: the login name on the host, or the error. */
  async function login(username: string): Promise<string> {
    const options = ['IdentitiesOnly=yes', 'IdentityAgent=none', 'StrictHostKeyChecking=no'];
    const more = ['UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'ConnectTimeout=5'];
    const set = [...options, ...more].flatMap((option) => ['-o', option]);
    const args = ['-n', '-F', '/dev/null', '-i', keyOf(username), ...set];
    return await run('ssh', [...args, `dev@${host.address}`, 'id -un']).then(
      ({ stdout }) => stdout.trim(),
      (error: { stderr: string }) => error.stderr.trim(),
    );
  }

  const becomes = (username: string, answer: string | RegExp) =>
    vi.waitFor(async () => expect(await login(username)).toMatch(answer), {
      ...{ timeout: 30_000, interval: 100 },
    });
  const DENIED = /Permission denied/;
  const file = () => host.exec('cat /home/dev/.ssh/authorized_keys');

  it('is opened by `ssh RUN-host` for managers of the project, as the login user of the fleet', async () => {
    home.spawn(['attach', 'web']);
    const written = () => existsSync(sshConfig(home)) && readFileSync(sshConfig(home), 'utf8');
    await until(async () => `${written()}`.includes('Host web\n'));
    const ssh = async (...args: string[]) =>
      (await run('ssh', ['-n', '-F', sshConfig(home), ...args], { env: home.env })).stdout;
    expect(await ssh('web-host', 'id -un; hostname')).toBe(`dev\n${host.name}\n`);
    // The same key still opens the run, through the host.
    expect(await ssh('web', 'echo $DSTACK_RUN_NAME')).toBe('web\n');
  });

  it('is opened for managers only, each by a line with the name', async () => {
    await becomes('mary', /^dev$/);
    expect(await login('bob')).toMatch(DENIED);
    expect(await login('carol')).toMatch(DENIED);
    const lines = (await file()).split('\n').filter((line) => line.includes('dstack-shell:'));
    expect(lines.map((line) => line.replace(/^ssh-rsa \S+ /, '')).sort()).toEqual([
      'dstack-shell:admin',
      'dstack-shell:mary',
    ]);
    expect((await file()).startsWith(FOREIGN)).toBe(true);
    expect(await host.exec('stat -c "%U %a" /home/dev/.ssh/authorized_keys')).toBe('dev 640\n');
  });

  it('is not opened for members of a project that imports the fleet, who only reach their jobs', async () => {
    await home.api('/api/project/main/exports/create', {
      ...{ name: 'shared', is_global: false, importer_projects: ['lab'] },
      ...{ exported_fleets: ['rack'], exported_gateways: [] },
    });
    await home.ok('stop', 'web', '--abort', '-y');
    await untilRun(home, 'web', isFinished);
    const run_spec = {
      run_name: 'guest',
      configuration: {
        ...{ type: 'task', image: IMAGE, commands: ['sleep 600'], fleets: ['main/rack'] },
        resources: { cpu: '1..', memory: '1GB..', disk: '1GB..', gpu: 0 },
      },
      profile: { name: 'default' },
    };
    await home.api(
      '/api/project/lab/runs/apply',
      { plan: { run_spec }, force: false },
      tokens.carol,
    );
    await becomes('carol', NO_SHELL);
    await home.api('/api/project/lab/runs/stop', { runs_names: ['guest'], abort: true });
  });

  it('is granted and revoked with a role', async () => {
    await setMembers('main', { bob: 'manager' });
    await becomes('bob', /^dev$/);
    await becomes('mary', DENIED);
    await setMembers('main', { mary: 'manager', bob: 'user' });
    await becomes('mary', /^dev$/);
    await becomes('bob', DENIED);
  });

  it('follows a user’s keys', async () => {
    await home.api('/api/users/refresh_ssh_key', { username: 'mary' });
    await becomes('mary', DENIED);
    await saveKey('mary');
    await becomes('mary', /^dev$/);
    await run('ssh-keygen', ['-q', '-N', '', '-t', 'ed25519', '-f', keyOf('laptop')]);
    const key = readFileSync(`${keyOf('laptop')}.pub`, 'utf8');
    const add = '/api/users/public_keys/add';
    const { id } = await home.api<{ id: string }>(add, { key }, tokens.mary);
    await becomes('laptop', /^dev$/);
    await home.api('/api/users/public_keys/delete', { ids: [id] }, tokens.mary);
    await becomes('laptop', DENIED);
    expect(await login('mary')).toBe('dev');
  });

  it('is revoked on an unreachable host as soon as it is reachable again', async () => {
    host.cut();
    try {
      await setMembers('main', { bob: 'user' });
    } finally {
      host.restore();
    }
    await becomes('mary', DENIED);
    await setMembers('main', { mary: 'manager', bob: 'user' });
    await becomes('mary', /^dev$/);
  });

  it('survives kills of the agent and of the server, unless it was revoked meanwhile', async () => {
    await home.stopServer('SIGKILL');
    expect(await login('mary')).toBe('dev');
    await host.exec('pkill -9 -f [m]ain.js || true');
    await home.startServer();
    await becomes('mary', /^dev$/);
    // An agent that was killed while writing has left half a file.
    await host.exec(
      'echo half > /home/dev/.ssh/authorized_keys.dstack; pkill -9 -f [m]ain.js || true',
    );
    await setMembers('main', { bob: 'user' });
    await becomes('mary', DENIED);
    expect((await file()).startsWith(FOREIGN)).toBe(true);
  });

  it('is opened for no user, or for all members, by a setting of the server', async () => {
    await home.stopServer();
    home.env.DSTACK_SERVER_HOST_SHELL = 'off';
    await home.startServer();
    await vi.waitFor(async () => expect(await file()).toBe(FOREIGN), 30_000);
    await home.stopServer();
    home.env.DSTACK_SERVER_HOST_SHELL = 'users';
    await home.startServer();
    await becomes('bob', /^dev$/);
  });

  it('leaves no line behind when the host leaves its fleet', async () => {
    await home.ok('fleet', 'delete', 'rack', '-y');
    await vi.waitFor(async () => expect(await file()).toBe(FOREIGN), 30_000);
    expect(await host.exec('stat -c "%U %a" /home/dev/.ssh/authorized_keys')).toBe('dev 640\n');
    expect(await host.exec('ls -A /home/dev/.ssh')).toBe('authorized_keys\n');
    expect(await login('bob')).toMatch(DENIED);
  });
});
