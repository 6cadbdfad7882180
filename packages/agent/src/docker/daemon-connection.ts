import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type Docker from 'dockerode';

/** The configured address of the daemon. */
interface Modem {
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
}

/**
 * `refused`: no program listens at the daemon's address. `silent`: no answer within the time allowed, or
 * a connection that broke: the daemon may be busy, may be ending, or may be about to start.
 */
export type PingAnswer = 'alive' | 'refused' | 'silent';

/** Errors of a connection to an address at which no program listens. */
const REFUSED = new Set(['ECONNREFUSED', 'ENOENT']);

/** Uses a new connection, because a daemon that shuts down still serves open ones. */
export function ping(docker: Docker, limitMs: number, signal?: AbortSignal): Promise<PingAnswer> {
  return new Promise((resolve) => {
    const asking = ask(docker, '/_ping', signal);
    const timer = setTimeout(() => asking.destroy(), limitMs);
    asking.on('response', (response) => {
      response.resume();
      // A proxy answers in place of a daemon that is down.
      resolve((response.statusCode ?? 500) < 500 ? 'alive' : 'silent');
    });
    asking.on('error', (error: NodeJS.ErrnoException) =>
      resolve(REFUSED.has(error.code ?? '') ? 'refused' : 'silent'),
    );
    asking.on('close', () => {
      clearTimeout(timer);
      resolve('silent');
    });
  });
}

/**
 * Opens a response that lasts as long as the daemon: a stream of events of a kind that hardly ever
 * occurs. Newer daemons close a connection without a request after some minutes. Rejects when the
 * daemon does not answer. The connection does not keep this process alive.
 */
export function openEndlessAnswer(docker: Docker, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const filters = encodeURIComponent(JSON.stringify({ type: ['daemon'] }));
    const asking = ask(docker, `/events?filters=${filters}`, signal);
    asking.on('socket', (socket) => socket.unref().setKeepAlive(true, 30_000));
    asking.on('response', (response) => {
      if (response.statusCode === 200) return resolve(response);
      response.destroy();
      reject(new Error(`the daemon answers ${response.statusCode} to a request for its events`));
    });
    asking.on('error', reject);
    asking.on('close', () => reject(new Error('the daemon closed the connection')));
  });
}

function ask(docker: Docker, path: string, signal?: AbortSignal): ClientRequest {
  const { socketPath, host = 'localhost', port = 2375 } = docker.modem as Modem;
  const where = socketPath ? { socketPath } : { host, port };
  const asking = request({ ...where, path, agent: false, ...(signal ? { signal } : {}) });
  asking.end();
  return asking;
}
