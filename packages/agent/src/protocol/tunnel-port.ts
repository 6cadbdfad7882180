/**
 * The agent's API on a TCP port, for servers that reach a container only by a forwarded port, over
 * which one connection is expensive to open: all connections of a server are streams of one HTTP/2
 * connection. Each stream leads to the unix socket. On other addresses than the loopback, whose
 * network belongs to others, the connection is TLS with a key that server and agent share.
 */
import { timingSafeEqual } from 'node:crypto';
import { createSecureServer, createServer, type ServerHttp2Stream } from 'node:http2';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { TUNNEL_IDENTITY, TUNNEL_PROTOCOLS, TUNNEL_TLS } from '@dstack/contract/agent-tunnels';
import { endWith } from '@dstack/ssh/join-connections';
import type { TunnelListener } from './tunnel-listener.ts';

export interface TunnelPortOptions {
  readonly listener: TunnelListener;
  /** Where the listener listens. */
  readonly address: string;
  /** Path of the agent's unix socket. */
  readonly socket: string;
  /** The socket is open; earlier streams wait. Omitted: it is. */
  readonly ready?: Promise<void>;
  readonly token: string;
}

const OPEN = Promise.resolve();
const LOOPBACK = '127.0.0.1';
/** Bytes under way in one stream, and in all of a connection. */
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * STREAM_WINDOW;
const HANDSHAKE_MS = 10_000;
const UNAUTHORIZED = 401;
const NOT_ALLOWED = 405;

export interface TunnelPort {
  /** Serves a connection that the agent has opened: secured like those of servers. */
  serve(stream: Duplex): void;
  close(): void;
}

export function openTunnelPort(options: TunnelPortOptions): TunnelPort {
  const { listener, address, token } = options;
  const settings = { initialWindowSize: STREAM_WINDOW };
  const server =
    address === LOOPBACK
      ? createServer({ settings })
      : createSecureServer({ settings, ...sharedKeyTls(token) });
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
    void (options.ready ?? OPEN).then(() => forward(stream, options.socket));
  });
  const serve = (stream: Duplex) => server.emit('connection', stream);
  listener.serve((socket) => {
    serve(socket);
    // TLS reads by itself, HTTP/2 alone only what comes.
    if (address === LOOPBACK) socket.resume();
  });
  return {
    serve,
    close: () => {
      listener.close();
      for (const session of sessions) session.destroy();
    },
  };
}

function refuse(stream: ServerHttp2Stream, status: number): void {
  stream.respond({ ':status': status }, { endStream: true });
}

function forward(stream: ServerHttp2Stream, path: string): void {
  if (stream.destroyed) return;
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
  endWith(stream, socket);
}

function isToken(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '');
  const expected = Buffer.from(`Bearer ${token}`);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Strangers end in the handshake. */
function sharedKeyTls(token: string) {
  const psk = Buffer.from(token);
  return {
    ...TUNNEL_TLS,
    ALPNProtocols: TUNNEL_PROTOCOLS,
    handshakeTimeout: HANDSHAKE_MS,
    pskCallback: (_socket: unknown, identity: string) =>
      identity === TUNNEL_IDENTITY ? psk : null,
  };
}
