import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Spawn } from './protocol.ts';

/** In the worker, the listening socket that it inherits. */
export const LISTENER_FD = 3;

/** Starts a worker in a session of its own, so that it continues when this process ends. */
export function spawnWorker(spawn: Spawn, listenerFd: number): ChildProcess {
  return spawnWith(spawn, [listenerFd]);
}

/** The same, with a channel over which this worker gives it a share of the connections. */
export function spawnTaker(spawn: Spawn): ChildProcess {
  const child = spawnWith(spawn, [LISTENER_FD, 'ipc']);
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
