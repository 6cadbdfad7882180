import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';

export interface DistantHost {
  readonly port: number;
  close(): void;
}

/**
 * Adds latency to a host: opens a local port that forwards to it and delays every byte by half a
 * round trip (milliseconds). Bandwidth is not limited.
 */
export async function atDistance(
  target: { readonly host: string; readonly port: number },
  roundTripMs: number,
): Promise<DistantHost> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = dial(target);
    for (const socket of [near, far]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('error', () => socket.destroy());
    }
    late(near, far, roundTripMs);
    late(far, near, roundTripMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return {
    port: address.port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/**
 * Each side receives what the other has sent after the delay. Opening a connection takes a round
 * trip, as on a real network.
 */
function late(from: Socket, to: Socket, roundTripMs: number): void {
  const opened = performance.now() + roundTripMs;
  const after = (action: () => void): void => {
    const wait = Math.max(roundTripMs / 2, opened - performance.now());
    if (wait <= 0) action();
    else setTimeout(action, wait);
  };
  from.on('data', (bytes) => after(() => void to.write(bytes)));
  from.on('end', () => after(() => to.end()));
  from.on('close', () => after(() => to.destroySoon()));
}
