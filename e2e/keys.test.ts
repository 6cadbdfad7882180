import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  applyFleet,
  isFinished,
  isRunning,
  newInstallation,
  type ShownRun,
  untilRun,
} from './installation.ts';

const run = promisify(execFile);
const missing = existsSync('/usr/bin/ssh') ? null : 'ssh';
if (missing) console.warn(`Keys of users are NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('a key that a user registers', () => {
  let home: Installation;
  let bob: string;
  let port: number;
  const keyFile = () => join(home.home, 'laptop');
  const asBob = <T>(path: string, body?: unknown) => home.api<T>(path, body, bob);

  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home, '0..1');
    const user = { username: 'bob', global_role: 'user' };
    await home.api('/api/users/create', user);
    const made = { username: 'bob' };
    const { creds } = await home.api<{ creds: { token: string } }>('/api/users/get_user', made);
    bob = creds.token;
    await home.api('/api/projects/main/add_members', {
      members: [{ username: 'bob', project_role: 'user' }],
    });
    const run_spec = {
      run_name: 'sleeper',
      configuration: { type: 'task', commands: ['sleep 100000'], resources: { gpu: 0 } },
      profile: { name: 'default' },
    };
    await asBob('/api/project/main/runs/apply', { plan: { run_spec }, force: false });
    const shown = await untilRun(home, 'sleeper', isRunning);
    port = sshPort(shown);
    await run('ssh-keygen', ['-q', '-N', '', '-t', 'ed25519', '-f', keyFile()]);
  });
  afterAll(() => home?.dispose());

  const words = (...command: string[]) => [
    ...['-F', '/dev/null', '-p', String(port), '-i', keyFile(), '-o', 'IdentitiesOnly=yes'],
    ...['-o', 'IdentityAgent=none', '-o', 'StrictHostKeyChecking=no'],
    ...['-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', 'root@127.0.0.1'],
    ...command,
  ];
  const login = () =>
    run('ssh', words('echo inside')).then(
      ({ stdout }) => stdout.trim(),
      (error) => (/Permission denied/.test(error.stderr) ? 'refused' : String(error.stderr)),
    );
  const becomes = (answer: string) =>
    vi.waitFor(async () => expect(await login()).toBe(answer), { timeout: 20_000, interval: 50 });
  const add = () =>
    asBob<{ id: string }>('/api/users/public_keys/add', {
      key: readFileSync(`${keyFile()}.pub`, 'utf8'),
    });

  it('opens a running run until it is deleted, which ends its connections', async () => {
    expect(await login()).toBe('refused');
    const { id } = await add();
    await becomes('inside');
    const session = spawn('ssh', words('echo up; sleep 1000'), { stdio: 'pipe' });
    const ended = once(session, 'exit');
    await once(session.stdout, 'data');
    await asBob('/api/users/public_keys/delete', { ids: [id] });
    expect((await ended)[0]).toBe(255);
    expect(await login()).toBe('refused');
  });

  it('opens it again if it was added while the agent was down, and not after the user left the project', async () => {
    const agent = home
      .processes()
      .find((pid) => /agent\/main\.js/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')));
    process.kill(agent ?? 0, 'SIGKILL');
    await add();
    await vi.waitFor(async () => {
      port = sshPort(await untilRun(home, 'sleeper', isRunning));
      expect(await login()).toBe('inside');
    }, 20_000);
    await home.api('/api/projects/main/remove_members', { usernames: ['bob'] });
    await becomes('refused');
    await home.api('/api/projects/main/add_members', {
      members: [{ username: 'bob', project_role: 'user' }],
    });
    await becomes('inside');
  });

  it('opens jobs that start later', async () => {
    await home.ok('stop', 'sleeper', '-y', '-x');
    await untilRun(home, 'sleeper', isFinished);
    const run_spec = {
      run_name: 'later',
      configuration: { type: 'task', commands: ['sleep 100000'], resources: { gpu: 0 } },
      profile: { name: 'default' },
    };
    await asBob('/api/project/main/runs/apply', { plan: { run_spec }, force: false });
    port = sshPort(await untilRun(home, 'later', isRunning));
    expect(await login()).toBe('inside');
  });
});

function sshPort({ latest_job_submission }: ShownRun): number {
  const submission = latest_job_submission as unknown as {
    readonly job_provisioning_data: { readonly ssh_port: number };
  };
  return submission.job_provisioning_data.ssh_port;
}
