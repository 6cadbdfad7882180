import { createServer, type Server, type Socket } from 'node:net';
import type { JobReference } from '@dstack/client';
import { errorMessage } from '@dstack/contract/error-message';
import type { Cli } from '../context.ts';
import type { ForwardedPort } from '../ssh/ports.ts';
import type { JobSockets } from './job-sockets.ts';

/** Bytes to the job that are not sent yet; more are not read from the local program. */
const MOST_UNSENT = 1024 * 1024;
const UNSENT_PAUSE_MS = 10;

export interface ForwardTarget extends JobReference {
  readonly run: string;
  /** `localhost` is both of its addresses. */
  readonly host: string;
}

/** Listens on a local port and connects each program to the port of the job; returns how to stop. */
export async function forwardPort(
  jobs: JobSockets,
  { run, host, ...reference }: ForwardTarget,
  { local, remote }: ForwardedPort,
  cli: Cli,
): Promise<() => void> {
  const open = new Set<Socket>();
  let lastFailure = '';
  const onFailure = (error: unknown): void => {
    const text = `no connection to port ${remote} of ${run}: ${errorMessage(error)}`;
    // A browser that retries would repeat it for ever.
    if (text !== lastFailure) cli.io.warn(text);
    lastFailure = text;
  };
  const onConnection = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    connect(jobs, { run, reference, remote }, socket, cli).then(() => {
      lastFailure = '';
    }, onFailure);
  };
  const addresses = host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
  const servers: Server[] = [];
  for (const address of addresses) {
    const server = createServer({ noDelay: true }, onConnection);
    // A computer without IPv6 has no `::1`.
    const isOptional = address === '::1';
    if (await listens(server, local, address, isOptional)) servers.push(server);
  }
  return () => {
    for (const server of servers) server.close();
    for (const socket of open) socket.destroy();
  };
}

function listens(
  server: Server,
  port: number,
  host: string,
  isOptional: boolean,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => (isOptional ? resolve(false) : reject(error)));
    server.listen({ port, host, exclusive: true }, () => resolve(true));
  });
}

async function connect(
  jobs: JobSockets,
  { run, reference, remote }: { run: string; reference: JobReference; remote: number },
  socket: Socket,
  cli: Cli,
): Promise<void> {
  const tunnel = jobs.port(run, remote, reference, (bytes) => {
    if (socket.write(bytes)) return;
    tunnel.pause();
    socket.once('drain', () => tunnel.resume());
  });
  socket.on('error', () => socket.destroy());
  socket.once('close', () => tunnel.close());
  void (async () => {
    for await (const chunk of socket as AsyncIterable<Uint8Array>) {
      tunnel.write(chunk);
      while (tunnel.bufferedAmount > MOST_UNSENT) await cli.wait(UNSENT_PAUSE_MS);
    }
    // The end of the local program's output; the port knows no half-open connections.
    tunnel.close();
  })().catch(() => tunnel.close());
  try {
    await tunnel.closed;
    socket.end();
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
