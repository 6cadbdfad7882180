import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/** A network between a client and PostgreSQL that a test can interrupt. */
export interface Relay {
  /** The database of `url`, through the relay. */
  readonly url: string;
  /** From now on the present connections transfer nothing, and neither side is notified. */
  freeze(): void;
  /** Ends the present connections. */
  cut(): void;
  /** The connection that sends this text is ended when PostgreSQL has answered, without the answer. */
  loseAnswerTo(text: string): void;
  close(): Promise<void>;
}

/** `url`: of a database on a unix socket, as the test kit makes them. */
export async function startRelay(url: string): Promise<Relay> {
  const target = new URL(url);
  const socketPath = join(target.searchParams.get('host') ?? '', '.s.PGSQL.5432');
  const sockets = new Set<Socket>();
  let lost: string | null = null;
  const server = createServer((client) => {
    const upstream = connect(socketPath);
    client.on('data', (data) => {
      if (lost === null || !data.includes(lost)) return;
      lost = null;
      upstream.unpipe().once('data', () => client.destroy());
      upstream.resume();
    });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `postgres://postgres@127.0.0.1:${port}${target.pathname}`,
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    loseAnswerTo(text) {
      lost = text;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
