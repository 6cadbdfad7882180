/**
 * The TCP port of the tunnels, without what serves them: the libraries of HTTP/2 and TLS take longer to
 * load than a server needs to connect, so the port is open and reported before they are.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { TUNNEL_LISTENING } from '@dstack/contract/agent-tunnels';
import { writeDurably } from '../host/durable-file.ts';
import type { EventLogger } from '../host/log.ts';

/** Where the agent is reached by TCP. */
export interface TunnelAddress {
  /** 0 = any that is free. */
  readonly port: number;
  readonly address: string;
  /** Where host and port are written once the agent listens; null = nowhere. */
  readonly file: string | null;
  /** The server's URL for connections of this agent (`ws:`); null = servers connect to it. */
  readonly dialOut: string | null;
}

export interface TunnelListener {
  readonly port: number;
  /** Takes the connections that have waited, and all later ones. */
  serve(take: (socket: Socket) => void): void;
  /** Stops listening, and ends the connections that still wait. */
  close(): void;
}

/** Servers of one installation open one connection each; strangers may open any number. */
const MAX_WAITING = 64;

export async function listenForTunnels(
  { port, address, file }: TunnelAddress,
  log: EventLogger,
): Promise<TunnelListener> {
  const waiting = new Set<Socket>();
  // Only these are taken off again: a socket has listeners of its own.
  const drop = function (this: Socket): void {
    this.destroy();
  };
  const forget = function (this: Socket): void {
    waiting.delete(this);
  };
  let take = (socket: Socket): void => {
    if (waiting.size >= MAX_WAITING) return void socket.destroy();
    waiting.add(socket);
    socket.once('error', drop);
    socket.once('close', forget);
  };
  // A connection is read only once it is served, or its first bytes would be lost.
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => take(socket));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port: chosen } = server.address() as AddressInfo;
  if (file !== null) writeDurably(file, JSON.stringify({ host: hostname(), port: chosen }));
  log.info(TUNNEL_LISTENING, { address, port: chosen });
  return {
    port: chosen,
    serve: (serve) => {
      take = serve;
      for (const socket of waiting) {
        socket.off('error', drop).off('close', forget);
        serve(socket);
      }
      waiting.clear();
    },
    close: () => {
      server.close();
      for (const socket of waiting) socket.destroy();
    },
  };
}
