/**
 * Connections from the agent to its server, for networks in which the server cannot connect to the
 * agent. One is open at a time, and the server uses it as it would use one of its own: for tunnels.
 */
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocket } from 'ws';
import type { EventLogger } from '../host/log.ts';
import { openTunnelPort, type TunnelPortOptions } from './tunnel-port.ts';

export interface TunnelsOptions extends TunnelPortOptions {
  /** The server's URL for connections of this agent (`ws:`). */
  readonly dialOut: string;
  readonly log: EventLogger;
}

interface DialOutOptions {
  /** `ws:` or `wss:`; names the agent. */
  readonly url: string;
  /** Serves the tunnels of the server, which proves who it is. */
  readonly serve: (stream: Duplex) => void;
  readonly log: EventLogger;
}

const HANDSHAKE_MS = 10_000;
const PING_MS = 20_000;
const PAUSE_MS = { least: 250, most: 15_000 };

/** The port of the tunnels, and the connections to the server. Returns what closes both. */
export function openTunnels(options: TunnelsOptions): () => void {
  const port = openTunnelPort(options);
  const { dialOut: url, log } = options;
  const end = dialOut({ url, serve: (stream) => port.serve(stream), log });
  return () => {
    end();
    port.close();
  };
}

/** Connects again after each end, until the returned function is called. */
function dialOut({ url, serve, log }: DialOutOptions): () => void {
  let isEnded = false;
  let pause = PAUSE_MS.least;
  let timer: NodeJS.Timeout | undefined;
  let socket: WebSocket;
  const dial = () => {
    socket = new WebSocket(url, { handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false });
    const alive = keepAlive(socket);
    socket.on('open', () => {
      pause = PAUSE_MS.least;
      // The close after an error is handled.
      serve(createWebSocketStream(socket).on('error', () => {}));
    });
    socket.on('error', (error) => log.info('the server was not reached', { error: error.message }));
    socket.on('close', () => {
      clearInterval(alive);
      if (isEnded) return;
      timer = setTimeout(dial, pause);
      pause = Math.min(PAUSE_MS.most, pause * 2);
    });
  };
  dial();
  return () => {
    isEnded = true;
    clearTimeout(timer);
    socket.terminate();
  };
}

/** A network that has lost the connection reports nothing. */
function keepAlive(socket: WebSocket): NodeJS.Timeout {
  let isAnswered = true;
  socket.on('pong', () => {
    isAnswered = true;
  });
  return setInterval(() => {
    if (!isAnswered) return socket.terminate();
    if (socket.readyState !== socket.OPEN) return;
    isAnswered = false;
    socket.ping();
  }, PING_MS).unref();
}
