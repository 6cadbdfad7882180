import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** A daemon that systemd starts on the first connection takes seconds to answer. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 200;
/** There is no daemon, or this user may not use it. */
const NO_DAEMON = new Set(['ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM', 'ENOTDIR']);

/**
 * The executor of the server's machine: Docker if a daemon answers at `DOCKER_HOST` (a unix socket)
 * or `/var/run/docker.sock`, else plain processes. Waits for a slow daemon, because otherwise jobs
 * would run without the containers that users expect.
 */
export async function localExecutor(
  wanted: 'auto' | 'docker' | 'process',
  dockerHost: string | undefined,
): Promise<'docker' | 'process'> {
  if (wanted !== 'auto') return wanted;
  const socketPath = dockerHost?.startsWith('unix://')
    ? dockerHost.slice('unix://'.length)
    : '/var/run/docker.sock';
  for (const end = performance.now() + PATIENCE_MS; ; await delay(RETRY_MS)) {
    const left = end - performance.now();
    if (left <= 0) return 'process';
    const answer = await ping(socketPath, left);
    if (answer !== 'silent') return answer === 'alive' ? 'docker' : 'process';
  }
}

function ping(socketPath: string, limitMs: number): Promise<'alive' | 'none' | 'silent'> {
  return new Promise((resolve) => {
    const asking = request({ socketPath, path: '/_ping', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 'alive' : 'silent');
    });
    const timer = setTimeout(() => asking.destroy(), limitMs);
    asking.on('error', (error: NodeJS.ErrnoException) =>
      resolve(NO_DAEMON.has(error.code ?? '') ? 'none' : 'silent'),
    );
    asking.on('close', () => {
      clearTimeout(timer);
      resolve('silent');
    });
    asking.end();
  });
}
