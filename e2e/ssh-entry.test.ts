import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFinished, isRunning, submit, untilRun } from './installation.ts';
import { freePort, servesAt } from './serving.ts';
import { applyCloudFleet, newSimCloud, type SimCloud } from './sim-cloud.ts';
import { Terminal } from './terminal.ts';

const run = promisify(execFile);
const missing = ['/usr/bin/ssh', '/usr/bin/sftp', '/usr/bin/script', '/usr/bin/python3'].find(
  (path) => !existsSync(path),
);
if (missing) console.warn(`The SSH entry is NOT tested: ${missing} is missing`);

const dstack = resolve(import.meta.dirname, '..', 'bin', 'dstack');

interface ShownJob {
  readonly latest_job_submission: {
    readonly id: string;
    readonly job_provisioning_data: {
      readonly ssh_proxy: { readonly hostname: string; readonly port: number } | null;
    };
  };
}

/** The machines of the simulated cloud have no sshd, so nothing but the entry leads to their jobs. */
describe.skipIf(missing !== undefined)('a machine that clients cannot reach', () => {
  let cloud: SimCloud;
  let port: number;
  let jobId: string;
  let appPort: number;
  beforeAll(async () => {
    cloud = newSimCloud();
    const { home } = cloud;
    [port, appPort] = [await freePort(), await freePort()];
    home.env.DSTACK_SERVER_SSH_PORT = String(port);
    await home.startServer();
    await applyCloudFleet(home, ['nodes: 0..2']);
    await submit(home, 'web', [servesAt(appPort)], `ports: [${appPort}]\n`);
    const shown = (await untilRun(home, 'web', isRunning)) as unknown as ShownJob;
    jobId = shown.latest_job_submission.id;
  });
  afterAll(() => cloud?.home.dispose());

  const config = () => join(cloud.home.home, '.dstack', 'ssh', 'config');
  const attach = (...more: string[]) =>
    new Terminal(cloud.home, ['attach', 'web', ...more], dstack);

  it('is entered through the server: shell, exit codes, files and ports', async () => {
    const { home } = cloud;
    const attached = attach('--logs');
    const [, local] = await attached.until(new RegExp(`localhost:(\\d+) -> ${appPort}`));
    await attached.until(/serving http/);
    const written = readFileSync(config(), 'utf8');
    expect(written).toMatch(
      new RegExp(`Host web-jump-host\\n +HostName 127.0.0.1\\n +Port ${port}`),
    );
    expect(written).toContain(`User ${jobId}`);
    expect((await fetch(`http://localhost:${local}/`)).status).toBe(200);
    const ssh = ['-n', '-F', config(), 'web'];
    expect((await run('ssh', [...ssh, 'echo "in $DSTACK_RUN_NAME"'])).stdout).toBe('in web\n');
    await expect(run('ssh', [...ssh, 'exit 7'])).rejects.toMatchObject({ code: 7 });
    const text = 'x'.repeat(3_000_000);
    writeFileSync(join(home.home, 'sent'), text);
    const batch = join(home.home, 'batch');
    const back = join(home.home, 'back');
    writeFileSync(batch, `put ${join(home.home, 'sent')} there\nget there ${back}\n`);
    await run('sftp', ['-F', config(), '-b', batch, 'web']);
    expect(readFileSync(back, 'utf8')).toBe(text);
    attached.pressCtrlC();
    await attached.end();
    expect((await home.dstack(['ssh', 'web', '--', 'exit 5'])).code).toBe(5);
  });

  it('is attached again after the end of the server', async () => {
    const { home } = cloud;
    const attached = attach();
    await attached.until(/Press Ctrl\+C to detach/);
    await home.stopServer('SIGKILL');
    await home.startServer();
    await attached.until(/reconnecting/);
    await attached.until(/Reconnected to web/);
    const { stdout } = await run('ssh', ['-n', '-F', config(), 'web', 'echo still here']);
    expect(stdout).toBe('still here\n');
    attached.pressCtrlC();
    await attached.end();
  });

  it('is closed to keys of others, other jobs, and when the job has ended', async () => {
    const { home } = cloud;
    const own = join(home.home, 'other-key');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', own]);
    const enter = (login: string, key: string) =>
      run('ssh', [
        ...['-n', '-F', '/dev/null', '-i', key, '-p', String(port), '-W', 'localhost:10022'],
        ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
        ...['-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none', `${login}@127.0.0.1`],
      ]);
    await expect(enter(jobId, own)).rejects.toThrow('Permission denied (publickey)');
    const strange = connect(port, '127.0.0.1');
    strange.on('error', () => {}).resume();
    const closed = new Promise<void>((resolve) => strange.once('close', () => resolve()));
    strange.write('GET / HTTP/1.1\r\n\r\n');
    await closed;
    const attached = attach();
    await attached.until(/Press Ctrl\+C to detach/);
    await home.ok('stop', 'web', '-x', '-y');
    await untilRun(home, 'web', isFinished);
    expect(await attached.end()).not.toBeNull();
  });
});
