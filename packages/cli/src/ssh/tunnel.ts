import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cli } from '../context.ts';
import { CliError } from '../errors.ts';
import { sshConfigPath } from './host-config.ts';
import type { Tunnel } from './port-tunnel.ts';
import type { ForwardedPort } from './ports.ts';
import { findMaster, type Master } from './shared-master.ts';
import { noClient, sshPath } from './ssh-client.ts';

export interface TunnelOptions {
  readonly destination: string;
  readonly identity: string;
  readonly bindAddress: string;
  readonly ports: readonly ForwardedPort[];
  /** The number of attempts before giving up. */
  readonly tries: number;
  /** Aborted to give up. */
  readonly signal: AbortSignal;
}

export const FIRST_TRIES = 10;
const TRY_MS = 15_000;
const PAUSE_MS = 1000;

/** The command that ssh runs locally once it is connected and all forwards are open. */
const READY = 'dstack-connected';

/**
 * Starts `ssh -N` with the forwards and waits until they are open. It is also a control master, by
 * which the official command line finds it, unless the run already has one.
 */
export async function openTunnel(options: TunnelOptions, cli: Cli): Promise<Tunnel> {
  const paths = tunnelPaths(options.destination, cli);
  const other = await findMaster(options.destination, paths.socket, cli);
  if (other?.leftover) await endMaster(other);
  const socket = other === null || other.leftover ? paths.socket : 'none';
  if (socket !== 'none') await rm(socket, { force: true });
  let reason = '';
  for (let attempt = 1; ; attempt += 1) {
    const result = await tryOnce(options, { ...paths, socket }, cli);
    if (typeof result !== 'string') return result;
    options.signal.throwIfAborted();
    reason = result;
    if (isFinal(reason) || attempt >= options.tries) break;
    await cli.wait(PAUSE_MS, options.signal);
  }
  throw new CliError("Can't connect to the run over SSH", {
    why: reason || 'ssh printed no reason',
    next: /Permission denied/.test(reason)
      ? 'pass --ssh-identity FILE with the key that the run was submitted with'
      : 'try again; `dstack logs -f` shows the output without SSH',
  });
}

interface TunnelPaths {
  readonly config: string;
  readonly socket: string;
  readonly log: string;
}

/** The name of the log contains the parent of ssh: `findMaster` reads it. */
function tunnelPaths(destination: string, cli: Cli): TunnelPaths {
  const directory = join(cli.home, '.dstack', 'ssh');
  return {
    config: sshConfigPath(cli.home),
    socket: controlSocket(destination, cli.home),
    log: join(directory, `${destination}.${process.pid}.log`),
  };
}

/** Where dstack 0.22.5 looks for a connection that it can reuse. */
export function controlSocket(destination: string, home: string): string {
  return join(home, '.dstack', 'ssh', `${destination}.control.sock`);
}

function sshArguments(options: TunnelOptions, paths: TunnelPaths): string[] {
  const set = (...settings: string[]): string[] => settings.flatMap((setting) => ['-o', setting]);
  const bind = options.bindAddress.includes(':') ? `[${options.bindAddress}]` : options.bindAddress;
  // OpenSSH expands a leading `%` in the path.
  const socket = paths.socket.replaceAll('%', '%%');
  return [
    ...['-F', paths.config, '-i', options.identity, '-E', paths.log, '-N', '-S', socket],
    ...set(`ControlMaster=${paths.socket === 'none' ? 'no' : 'yes'}`, 'ExitOnForwardFailure=yes'),
    ...set('BatchMode=yes', 'ConnectTimeout=10', 'LogLevel=ERROR'),
    ...set('ServerAliveInterval=5', 'ServerAliveCountMax=3'),
    ...set('PermitLocalCommand=yes', `LocalCommand=echo ${READY}`),
    ...options.ports.flatMap((p) => ['-L', `${bind}:${p.local}:localhost:${p.remote}`]),
    options.destination,
  ];
}

/** A tunnel, or the reason why it could not be opened. */
async function tryOnce(
  options: TunnelOptions,
  paths: TunnelPaths,
  cli: Cli,
): Promise<Tunnel | string> {
  await rm(paths.log, { force: true });
  const child = spawn(await sshPath(cli), sshArguments(options, paths), {
    env: { ...cli.env, HOME: cli.home } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
    // In its own process group: Ctrl-C first asks a question and must not end the connection.
    detached: true,
  });
  const printed = { text: '' };
  child.stderr?.on('data', (chunk: Buffer) => {
    printed.text = (printed.text + chunk).slice(-4000);
  });
  const lost = new Promise<string>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => reject(noClient(cli, error)));
    child.once('exit', () => end(child));
    child.once('close', () => {
      const logged = readFile(paths.log, 'utf8').catch(() => '');
      void logged.then((log) => resolve(sshErrorMessage(`${printed.text}\n${log}`)));
    });
  });
  const close = async (): Promise<void> => {
    end(child);
    await lost.catch(() => '');
    await rm(paths.log, { force: true });
  };
  try {
    const outcome = await Promise.race([lost, untilReady(child, options.signal)]);
    if (outcome === null) return { lost, close };
    await close();
    return outcome;
  } catch (error) {
    await close();
    throw error;
  }
}

const TOO_SLOW = `no connection within ${TRY_MS / 1000} s`;

/** Null once the forwards are open. */
function untilReady(child: ChildProcess, signal: AbortSignal): Promise<null | string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(TOO_SLOW), TRY_MS);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      act();
    };
    const stop = (): void => settle(() => reject(signal.reason));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    child.stdout?.on('data', (chunk: Buffer) => {
      if (String(chunk).includes(READY)) settle(() => resolve(null));
    });
    child.once('close', () => settle(() => {}));
  });
}

/** Ends ssh, and the ssh of a jump host, which otherwise stays until that host closes its connection. */
function end({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // No process of its group is left.
  }
}

async function endMaster(master: Master): Promise<void> {
  try {
    process.kill(master.pid, 'SIGTERM');
  } catch {
    // ssh ended by itself.
  }
}

/** Failures that another attempt cannot resolve. */
function isFinal(message: string): boolean {
  return /Address already in use|Permission denied|Bad configuration|Bad local forwarding|UNPROTECTED|cannot listen to port/i.test(
    message,
  );
}

/** The line with the reason; ssh prints others around it. */
function sshErrorMessage(text: string): string {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/Permanently added|^mux_client|^Killed by/.test(line));
  const cause = lines.find((line) => /in use|denied|UNPROTECTED|refused|timed out/i.test(line));
  return cause ?? lines.at(-1) ?? '';
}
