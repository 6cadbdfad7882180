import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Cli } from '../context.ts';
import { sshConfigPath } from './host-config.ts';
import type { Tunnel } from './port-tunnel.ts';
import type { ForwardedPort } from './ports.ts';
import { runSsh } from './ssh-client.ts';

/** A running connection to a job that another terminal or another client has opened. */
export interface Master {
  readonly pid: number;
  readonly ports: readonly ForwardedPort[];
  readonly bindAddress: string;
  /** Its owner has died without closing it. */
  readonly leftover: boolean;
}

/** The master connection behind a control socket, if one answers. */
export async function findMaster(
  destination: string,
  socket: string,
  cli: Cli,
): Promise<Master | null> {
  if (!existsSync(socket)) return null;
  const config = sshConfigPath(cli.home);
  const answer = await runSsh(['-F', config, '-S', socket, '-O', 'check', destination], cli);
  const pid = Number(/pid=(\d+)/.exec(answer ?? '')?.[1] ?? 0);
  if (pid === 0) return null;
  const line = await processLine(pid);
  return line === null ? null : describeMaster(pid, line);
}

/** Uses another program's connection. Closing it only stops observing it. */
export function sharedTunnel(master: Master, intervalMs = 500): Tunnel {
  const { promise: lost, resolve } = Promise.withResolvers<string>();
  const end = (why: string): void => {
    clearInterval(timer);
    resolve(why);
  };
  const timer = setInterval(() => {
    if (!isAlive(master.pid)) end('the terminal that opened the connection has ended');
  }, intervalMs);
  return { lost, close: async () => end('') };
}

/**
 * Reads the command line of an ssh process: its forwards and its owner. Our own are children of the
 * attachment whose process id is in the name of their log; those of dstack 0.22.5 are daemons.
 */
export function describeMaster(pid: number, { parent, args }: ProcessLine): Master {
  const forwards = [...args.matchAll(/-L (\[[^\]]+\]|[^\s:]+):(\d+):localhost:(\d+)/g)];
  const log = basename(/-E (\S+)/.exec(args)?.[1] ?? '');
  const owner = Number(/\.(\d+)\.log$/.exec(log)?.[1] ?? 0);
  return {
    pid,
    ports: forwards
      .map(([, , local, remote]) => ({ local: Number(local), remote: Number(remote) }))
      .filter(({ remote }) => remote !== OUTPUT_PORT),
    bindAddress: forwards[0]?.[1]?.replace(/^\[|\]$/g, '') ?? 'localhost',
    leftover: owner !== 0 && owner !== parent,
  };
}

/** Where dstack 0.22.5 reads a job's output. The forward is not shown to users. */
export const OUTPUT_PORT = 10_999;

interface ProcessLine {
  readonly parent: number;
  readonly args: string;
}

function processLine(pid: number): Promise<ProcessLine | null> {
  return new Promise((resolve) => {
    execFile('ps', ['-ww', '-o', 'ppid=,args=', '-p', String(pid)], (_, out) => {
      const [, parent, args] = /^\s*(\d+)\s+(.*)$/m.exec(out) ?? [];
      resolve(args === undefined ? null : { parent: Number(parent), args });
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
