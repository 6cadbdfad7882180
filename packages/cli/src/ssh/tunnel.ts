import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cli } from '../context.ts';
import { CliError } from '../errors.ts';
import { sshConfigPath } from './host-config.ts';
import type { ForwardedPort } from './ports.ts';

export interface TunnelOptions {
  readonly destination: string;
  readonly identity: string;
  readonly bindAddress: string;
  readonly ports: readonly ForwardedPort[];
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** A master connection of OpenSSH in the background. */
export interface Tunnel {
  close(): Promise<void>;
}

const TRIES = 10;
const TRY_MS = 15_000;
const PAUSE_MS = 1000;

/**
 * Starts `ssh -N` with the forwards and waits until it stands. It stays behind as a control master,
 * over which the official command line and a plain `ssh <run>` go as well.
 */
export async function openTunnel(options: TunnelOptions, cli: Cli): Promise<Tunnel> {
  const ssh = cli.env.DSTACK_SSH_CLIENT || 'ssh';
  const directory = join(cli.home, '.dstack', 'ssh');
  const socket = join(directory, `${options.destination}.control.sock`);
  const log = join(directory, `${options.destination}.log`);
  const config = sshConfigPath(cli.home);
  const control = (command: string): Promise<SshResult> =>
    runSsh(ssh, ['-F', config, '-S', socket, '-O', command, options.destination], cli);
  // What an earlier attachment left behind would take our forwards or refuse our socket.
  await control('exit');
  await rm(socket, { force: true });
  const forwards = options.ports.flatMap((port) => [
    '-L',
    `${options.bindAddress}:${port.local}:localhost:${port.remote}`,
  ]);
  const args = [
    ...['-F', config, '-i', options.identity, '-E', log, '-N', '-f'],
    ...['-o', 'ControlMaster=auto', '-S', socket, '-o', 'ExitOnForwardFailure=yes'],
    ...['-o', 'BatchMode=yes', '-o', 'ServerAliveInterval=15', '-o', 'ServerAliveCountMax=4'],
    ...forwards,
    options.destination,
  ];
  let words = '';
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    await rm(log, { force: true });
    const result = await runSsh(ssh, args, cli, options.signal);
    if (result.code === 0) {
      return {
        close: async () => {
          await control('exit');
          await rm(log, { force: true });
        },
      };
    }
    options.signal.throwIfAborted();
    words = result.stderr || (await readFile(log, 'utf8').catch(() => ''));
    if (isFinal(words) || attempt === TRIES) break;
    await cli.wait(PAUSE_MS, options.signal);
  }
  throw new CliError("Can't connect to the run over SSH", {
    why: lastLine(words) || 'ssh gave no reason',
    next: `ssh -v -F ${config} ${options.destination}`,
  });
}

/** Failures that no further try will mend. */
function isFinal(words: string): boolean {
  return /Address already in use|Permission denied|Bad configuration|Could not resolve/i.test(
    words,
  );
}

interface SshResult {
  readonly code: number;
  readonly stderr: string;
}

function runSsh(
  program: string,
  args: readonly string[],
  cli: Cli,
  signal?: AbortSignal,
): Promise<SshResult> {
  return new Promise((resolve, reject) => {
    const env = { ...cli.env, HOME: cli.home } as NodeJS.ProcessEnv;
    const options = { timeout: TRY_MS, env, signal };
    const child = execFile(program, [...args], options, (error, _out, stderr) => {
      if ((error as NodeJS.ErrnoException | null)?.code === 'ENOENT') {
        reject(
          new CliError('No SSH client', {
            why: `${program} cannot be started`,
            next: 'install OpenSSH, or set DSTACK_SSH_CLIENT',
          }),
        );
        return;
      }
      resolve({ code: error === null ? 0 : 1, stderr });
    });
    child.stdin?.end();
  });
}

function lastLine(text: string): string {
  const lines = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !/Warning: Permanently/.test(line));
  return lines.at(-1)?.trim() ?? '';
}
