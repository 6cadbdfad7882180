import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type Docker from 'dockerode';

/** The configured address of the daemon. */
interface Modem {
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
}

/**
 * `refused`: no program listens at the daemon's address. `no_answer`: no answer in time, or a
 * broken connection: the daemon may be busy, ending, or about to start.
 */
export type PingAnswer = 'alive' | 'refused' | 'no_answer';

/** Errors of a connection to an address at which no program listens. */
const REFUSED = new Set(['ECONNREFUSED', 'ENOENT']);

/** Uses a new connection, because a daemon that shuts down still serves open ones. */
export function ping(docker: Docker, limitMs: number, signal?: AbortSignal): Promise<PingAnswer> {
  return new Promise((resolve) => {
    const outgoing = send(docker, '/_ping', signal);
    const timer = setTimeout(() => outgoing.destroy(), limitMs);
    outgoing.on('response', (response) => {
      response.resume();
      // A proxy answers in place of a daemon that is down.
      resolve((response.statusCode ?? 500) < 500 ? 'alive' : 'no_answer');
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      resolve(REFUSED.has(error.code ?? '') ? 'refused' : 'no_answer'),
    );
    outgoing.on('close', () => {
      clearTimeout(timer);
      resolve('no_answer');
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
    const outgoing = send(docker, `/events?filters=${filters}`, signal);
    outgoing.on('socket', (socket) => socket.unref().setKeepAlive(true, 30_000));
    outgoing.on('response', (response) => {
      if (response.statusCode === 200) return resolve(response);
      response.destroy();
      reject(new Error(`the daemon answers ${response.statusCode} to a request for its events`));
    });
    outgoing.on('error', reject);
    outgoing.on('close', () => reject(new Error('the daemon closed the connection')));
  });
}

function send(docker: Docker, path: string, signal?: AbortSignal): ClientRequest {
  const { socketPath, host = 'localhost', port = 2375 } = docker.modem as Modem;
  const where = socketPath ? { socketPath } : { host, port };
  const outgoing = request({ ...where, path, agent: false, ...(signal ? { signal } : {}) });
  outgoing.end();
  return outgoing;
}
