import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** A connection to a port on which we listen. */
export interface PortCaller {
  readonly host: string;
  readonly port: number;
}

export interface Listener {
  readonly port: number;
  /** Stops listening. Connections that were handed out continue. */
  close(): void;
}

export type OnCaller = (connection: Duplex, caller: PortCaller) => void;

/** Listens for TCP connections; port 0 takes any free port. Rejects with Node's own error. */
export function listenTcp(host: string, port: number, onCaller: OnCaller): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) => {
    const { remoteAddress = '', remotePort = 0 } = socket;
    onCaller(socket, { host: remoteAddress, port: remotePort });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.removeAllListeners('error');
      // An error of a single connection must not end the others.
      server.on('error', () => {});
      const address = server.address();
      const chosen = typeof address === 'object' && address ? address.port : port;
      resolve({ port: chosen, close: () => server.close() });
    });
  });
}
