import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

/**
 * A pair, so that there is an interface with an address: otherwise a browser is offline. Without IPv6,
 * whose own address of an interface comes a moment later.
 */
const SET_UP = `
for conf in /proc/sys/net/ipv6/conf/*/disable_ipv6; do if [ -e $conf ]; then echo 1 >$conf; fi; done
ip link set lo up
ip link add still0 type veth peer name still1
ip link set still1 up
ip addr add 10.255.255.1/30 dev still0
ip link set still0 up
exec "$@"`;

/** A network namespace in which nothing changes, and a SOCKS proxy on its loopback that leads out of it. */
export interface StillNetwork {
  readonly proxy: string;
  /** The path of the namespace, for `nsenter`. */
  readonly path: string;
  close(): void;
}

/**
 * Chromium ends its connections and navigations (`ERR_NETWORK_CHANGED`) whenever an interface of this
 * computer comes or goes, and other suites make hosts and pods all the time.
 */
export async function stillNetwork(): Promise<StillNetwork> {
  const holder = fileURLToPath(new URL('./network-holder.ts', import.meta.url));
  const child = spawn('unshare', ['--net', 'sh', '-ec', SET_UP, 'sh', process.execPath, holder], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [{ port }, server] = await Promise.race([
    once(child, 'message') as Promise<[{ port: number }, Server]>,
    once(child, 'exit').then(([code]) => {
      throw new Error(`the network for the browser was not made: exit ${code}`);
    }),
  ]);
  server.on('connection', (socket) => void carry(socket));
  return {
    proxy: `socks5://127.0.0.1:${port}`,
    path: `/proc/${child.pid}/ns/net`,
    close() {
      server.close();
      child.kill();
    },
  };
}

/** Version, method "none", and the command "connect" of SOCKS 5 (RFC 1928). */
const [VERSION, NONE, CONNECT] = [5, 0, 1];
const [SUCCEEDED, REFUSED] = [0, 5];

async function carry(client: Socket): Promise<void> {
  client.on('error', () => client.destroy());
  try {
    const [, methods = 0] = await exactly(client, 2);
    await exactly(client, methods);
    client.write(Buffer.from([VERSION, NONE]));
    const [, command] = await exactly(client, 3);
    const host = await addressOf(client);
    const port = (await exactly(client, 2)).readUInt16BE();
    const answer = (code: number) =>
      client.write(Buffer.from([VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0]));
    const target = connect({ host, port, allowHalfOpen: true });
    try {
      if (command !== CONNECT) throw new Error('an unknown command');
      await once(target, 'connect');
    } catch {
      answer(REFUSED);
      client.end();
      return;
    }
    answer(SUCCEEDED);
    await Promise.all([pipeline(client, target), pipeline(target, client)]);
  } catch {
    client.destroy();
  }
}

async function addressOf(client: Socket): Promise<string> {
  const [kind = 0] = await exactly(client, 1);
  if (kind === 1) return [...(await exactly(client, 4))].join('.');
  const [length = 0] = await exactly(client, 1);
  const name = (await exactly(client, length)).toString();
  // Browsers know names below `localhost` without asking; the resolver of a computer may not.
  return name.endsWith('.localhost') ? '127.0.0.1' : name;
}

async function exactly(socket: Socket, length: number): Promise<Buffer> {
  for (;;) {
    const bytes = length === 0 ? Buffer.alloc(0) : (socket.read(length) as Buffer | null);
    if (bytes !== null) return bytes;
    if (socket.readableEnded) throw new Error('the connection has ended');
    await once(socket, 'readable');
  }
}
