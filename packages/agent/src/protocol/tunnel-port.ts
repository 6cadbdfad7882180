/**
 * The agent's API on a TCP port of the loopback, for servers that reach a container only by a
 * forwarded port, over which one connection is expensive to open: all connections of a server are
 * streams of one HTTP/2 connection. Each stream leads to the unix socket.
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { connect } from 'node:net';
import type { EventLogger } from '../host/log.ts';

export interface TunnelPortOptions {
  readonly port: number;
  /** Path of the agent's unix socket. */
  readonly socket: string;
  readonly token: string;
  readonly log: EventLogger;
}

const HOST = '127.0.0.1';
/** Bytes under way in one stream, and in all of a connection. */
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * STREAM_WINDOW;
const UNAUTHORIZED = 401;
const NOT_ALLOWED = 405;

/** Listens until the returned function is called. */
export async function openTunnelPort(options: TunnelPortOptions): Promise<() => void> {
  const server = createServer({ settings: { initialWindowSize: STREAM_WINDOW } });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.setLocalWindowSize(CONNECTION_WINDOW);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
  });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.destroy());
    if (headers[':method'] !== 'CONNECT') return refuse(stream, NOT_ALLOWED);
    if (!isToken(headers.authorization, options.token)) return refuse(stream, UNAUTHORIZED);
    forward(stream, options.socket);
  });
  await listen(server, options.port);
  options.log.info('tunnel listening', { port: options.port });
  return () => {
    server.close();
    for (const session of sessions) session.destroy();
  };
}

function refuse(stream: ServerHttp2Stream, status: number): void {
  stream.respond({ ':status': status }, { endStream: true });
}

function forward(stream: ServerHttp2Stream, path: string): void {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('connect', () => {
    if (stream.destroyed) return socket.destroy();
    stream.respond({ ':status': 200 });
    stream.pipe(socket);
    socket.pipe(stream);
  });
  socket.on('error', () => stream.destroy());
  socket.on('close', () => {
    if (!stream.writableEnded) stream.end();
  });
  stream.on('close', () => socket.destroy());
}

function isToken(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '');
  const expected = Buffer.from(`Bearer ${token}`);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function listen(server: Http2Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
