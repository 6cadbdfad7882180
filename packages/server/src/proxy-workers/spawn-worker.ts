import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import type { Spawn } from './protocol.ts';

/** In the worker, the listening socket that it inherits. */
export const LISTENER_FD = 3;

/**
 * Descriptors of that socket. Node accepts one connection for each of them before it answers what has come meanwhile:
 * one for the worker itself, and one for another, to which it passes about as many.
 */
const LISTENERS = 2;

/** In the worker, all descriptors of the socket: those from `LISTENER_FD` on; an earlier version starts it with one. */
export function listenerFds(): number[] {
  const { ino, dev } = fstatSync(LISTENER_FD);
  return Array.from({ length: LISTENERS }, (_, n) => LISTENER_FD + n).filter((fd) => {
    try {
      const found = fstatSync(fd);
      return found.ino === ino && found.dev === dev;
    } catch {
      // Nothing has this number.
      return false;
    }
  });
}

const copiesOf = (fd: number): number[] => Array.from({ length: LISTENERS }, () => fd);

/** Starts a worker in a session of its own, so that it continues when this process ends. */
export function spawnWorker(spawn: Spawn, listenerFd: number): ChildProcess {
  return spawnWith(spawn, copiesOf(listenerFd));
}

/** The same, with a channel over which this worker gives it a share of the connections. */
export function spawnTaker(spawn: Spawn): ChildProcess {
  const child = spawnWith(spawn, [...copiesOf(LISTENER_FD), 'ipc']);
  child.channel?.unref();
  return child;
}

function spawnWith(
  { node, args, env, logPath }: Spawn,
  further: readonly (number | 'ipc')[],
): ChildProcess {
  const log = openSync(logPath, 'a', 0o600);
  try {
    const stdio = ['ignore', log, log, ...further] as const;
    const child = spawn(node, [...args], { env: { ...env }, detached: true, stdio: [...stdio] });
    // The server notices a worker that does not answer.
    child.on('error', () => {});
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}
