import { request } from 'node:http';

const PING_LIMIT_MS = 2000;

/**
 * Which executor the server's machine has: Docker where a daemon answers at `DOCKER_HOST` (a unix
 * socket) or `/var/run/docker.sock`, else plain processes.
 */
export async function localExecutor(
  wanted: 'auto' | 'docker' | 'process',
  dockerHost: string | undefined,
): Promise<'docker' | 'process'> {
  if (wanted !== 'auto') return wanted;
  const socketPath = dockerHost?.startsWith('unix://')
    ? dockerHost.slice('unix://'.length)
    : '/var/run/docker.sock';
  return (await answersPing(socketPath)) ? 'docker' : 'process';
}

function answersPing(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath, path: '/_ping', timeout: PING_LIMIT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on('timeout', () => ping.destroy());
    ping.on('error', () => resolve(false));
    ping.end();
  });
}
