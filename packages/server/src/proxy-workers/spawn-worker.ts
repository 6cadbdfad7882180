import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Spawn } from './protocol.ts';

/** In the worker, the listening socket that it inherits. */
export const LISTENER_FD = 3;

/**
 * Starts a worker in a session of its own, so that it continues when this process ends. Returns its process id;
 * null = it could not be started.
 */
export function spawnWorker(
  { node, args, env, logPath }: Spawn,
  listenerFd: number,
): number | null {
  const log = openSync(logPath, 'a', 0o600);
  try {
    const stdio = ['ignore', log, log, listenerFd] as const;
    const child = spawn(node, [...args], { env: { ...env }, detached: true, stdio: [...stdio] });
    // The server notices a worker that does not answer.
    child.on('error', () => {});
    child.unref();
    return child.pid ?? null;
  } finally {
    closeSync(log);
  }
}
