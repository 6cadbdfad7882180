/** Commands over SSH in a run, compared with OpenSSH's own server on the same computer. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { dockerForBench } from './docker.ts';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';
import { applyFleet } from './runs.ts';

const COMMANDS = 40;
const MEGABYTES = 512;
const DOWNLOADS = 5;

/** The arguments before the command on the command line of `ssh`. */
type Target = readonly string[];

interface Measured {
  readonly command: number;
  readonly download: number;
}

export async function ssh(): Promise<void> {
  const reference = await onSshd();
  await inRun('process', {}, '', reference);
  const docker = await dockerForBench();
  if (!docker) {
    print({ name: 'ssh: docker executor', unit: '-', skipped: 'no Docker daemon can be started' });
    return;
  }
  try {
    await inRun('docker', { DOCKER_HOST: docker.host }, `image: ${docker.image}\n`, reference);
  } finally {
    await docker.stop();
  }
}

async function onSshd(): Promise<Measured> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-sshd-'));
  const port = await freePort();
  for (const key of ['host', 'user']) {
    execFileSync('ssh-keygen', ['-q', '-N', '', '-t', 'ed25519', '-f', join(dir, key)]);
  }
  // The directory for its unprivileged process; normally the distribution's service creates it.
  mkdirSync('/run/sshd', { recursive: true });
  const lines = [
    ...[`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${join(dir, 'host')}`],
    ...[`AuthorizedKeysFile ${join(dir, 'user.pub')}`, 'StrictModes no', 'UsePAM no'],
    ...['PermitRootLogin yes', 'PidFile none'],
  ];
  writeFileSync(join(dir, 'config'), lines.join('\n'));
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(dir, 'config')], { stdio: 'pipe' });
  try {
    for await (const data of sshd.stderr) if (String(data).includes('listening')) break;
    return measure('sshd', [
      ...['-F', '/dev/null', '-i', join(dir, 'user'), '-p', String(port)],
      ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
      ...['-o', 'LogLevel=ERROR', `${userInfo().username}@127.0.0.1`],
    ]);
  } finally {
    sshd.kill();
    await ended(sshd);
    rmSync(dir, { recursive: true });
  }
}

async function inRun(
  executor: 'docker' | 'process',
  env: NodeJS.ProcessEnv,
  more: string,
  reference: Measured,
): Promise<void> {
  const home = installation({ DSTACK_LOCAL_EXECUTOR: executor, ...env });
  try {
    await home.startServer();
    await applyFleet(home, '0..1');
    const target = await attachedSleeper(home, more);
    const measured = measure(executor, target);
    print({
      name: `ssh: ${executor} against sshd`,
      unit: 'ratio',
      'time of a command': ratio(measured.command, reference.command),
      'download rate': ratio(measured.download, reference.download),
    });
  } finally {
    await home.dispose();
  }
}

/** Each command opens its own connection, like a user's `ssh <run>` without an attachment. */
async function attachedSleeper(home: Installation, more: string): Promise<Target> {
  const file = join(home.home, 'sleeper.dstack.yml');
  const text = `type: task\nname: sleeper\ncommands: [sleep 100000]\nresources: {gpu: 0}\n${more}`;
  writeFileSync(file, text);
  await home.ok('apply', '-f', file, '-y', '-d');
  const attach = home.spawn(['attach', 'sleeper']);
  await new Promise<void>((resolve, reject) => {
    const onData = (data: Buffer) => {
      if (String(data).includes('Press Ctrl+C')) resolve();
    };
    attach.stdout?.on('data', onData);
    attach.stderr?.on('data', onData);
    attach.once('exit', (code) => reject(new Error(`attach ended with ${code}`)));
  });
  const config = join(home.home, '.dstack', 'ssh', 'config');
  return ['-F', config, '-o', 'LogLevel=ERROR', 'sleeper'];
}

function measure(name: string, target: Target): Measured {
  const times = Array.from({ length: COMMANDS }, () => timed(target, 'true'));
  const bytes = `dd if=/dev/zero bs=1048576 count=${MEGABYTES} 2>/dev/null`;
  // Megabytes a second.
  const rates = Array.from({ length: DOWNLOADS }, () => MEGABYTES / (timed(target, bytes) / 1000));
  const [command, download] = [summary(times), summary(rates)];
  print({ name: `ssh: ${name}, command \`true\``, unit: 'ms', ...command });
  print({ name: `ssh: ${name}, download`, unit: 'MB/s', ...download });
  return { command: command.p50, download: download.p50 };
}

/** Milliseconds of one command. */
function timed(target: Target, command: string): number {
  const start = performance.now();
  execFileSync('ssh', [...target, command], { stdio: ['ignore', 'ignore', 'inherit'] });
  return performance.now() - start;
}

function ratio(value: number, reference: number): number {
  return Math.round((value / reference) * 100) / 100;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
