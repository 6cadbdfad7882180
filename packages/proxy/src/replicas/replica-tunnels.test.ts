import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { newEd25519Pair } from '@dstack/ssh/ed25519-pair';
import ssh2 from 'ssh2';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ProxyLog } from '../log.ts';
import { ReplicaTunnels, type TunnelRoute } from './replica-tunnels.ts';

const blobOf = (publicKey: string) => publicKey.split(' ')[1] ?? '';

/** An SSH server that lets one key in, and forwards connections. */
async function startSshd(allowed: string) {
  const hostKey = newEd25519Pair('host');
  const clients = new Set<ssh2.Connection>();
  const ssh = new ssh2.Server({ hostKeys: [hostKey.privateKey] }, (client) => {
    clients.add(client);
    client.on('authentication', (context) => {
      const isAllowed =
        context.method === 'publickey' && context.key.data.toString('base64') === blobOf(allowed);
      if (isAllowed) context.accept();
      else context.reject(['publickey']);
    });
    client.on('ready', () => {
      client.on('tcpip', (accept, reject, { destPort }) => {
        const socket = connect(destPort, '127.0.0.1');
        socket.on('error', () => reject());
        socket.on('connect', () => {
          const channel = accept();
          channel.on('error', () => socket.destroy());
          channel.pipe(socket).pipe(channel, { end: false });
          // Like OpenSSH, which closes a channel once both sides have ended it.
          socket.on('close', () => channel.eof());
          channel.on('end', () => channel.close());
        });
      });
    });
    client.on('error', () => {});
    client.on('close', () => clients.delete(client));
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    ssh.injectSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  /** Closes the sockets like a process that is killed. */
  const kill = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const cut = () => {
    for (const client of clients) client.end();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    key: blobOf(hostKey.publicKey),
    cut,
    kill,
  };
}

async function startApp(): Promise<number> {
  const app = createServer((socket) => socket.end('hello'));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  onTestFinished(() => void app.close());
  return (app.address() as AddressInfo).port;
}

// On a busy computer that takes longer than a tunnel.
beforeAll(async () => void (await import('./ssh-parts.ts')));

const log = { info: () => {} } as unknown as ProxyLog;
const PATIENCE = { timeout: 10_000, interval: 10 };

async function world() {
  const own = newEd25519Pair('gateway');
  const [host, job, app] = await Promise.all([
    startSshd(own.publicKey),
    startSshd(own.publicKey),
    startApp(),
  ]);
  const route: TunnelRoute = {
    ...{ hostname: '127.0.0.1', port: host.port, user: 'root', hostKey: host.key },
    ...{ jobPort: job.port, jobHostKey: job.key },
  };
  const tunnels = new ReplicaTunnels({ log });
  onTestFinished(() => tunnels.close());
  tunnels.setKey(own.privateKey);
  return { tunnels, route, host, job, app };
}

describe('tunnels to replicas', () => {
  it('lead through a host to its job, and are opened again when they break', async () => {
    const { tunnels, route, host, job, app } = await world();
    tunnels.setRoutes(new Map([['a', route]]));
    const answer = async () => {
      await vi.waitFor(() => expect(tunnels.isOpen('a')).toBe(true), PATIENCE);
      const stream = await tunnels.open('a', app);
      return stream && (await text(stream));
    };
    expect(await answer()).toBe('hello');
    for (const end of [job.cut, host.cut, job.kill, host.kill]) {
      end();
      await vi.waitFor(() => expect(tunnels.isOpen('a')).toBe(false), PATIENCE);
      expect(tunnels.open('a', app)).toBeNull();
      expect(await answer()).toBe('hello');
    }
    // Nothing listens there: the replica refuses, and the tunnel stays.
    await expect(tunnels.open('a', 1)).rejects.toThrow(/cannot be reached/);
    expect(tunnels.isOpen('a')).toBe(true);
    tunnels.setRoutes(new Map());
    expect(tunnels.open('a', app)).toBeNull();
  });

  it('fail what is open when the SSH server of the job ends, so that a request can be repeated', async () => {
    const { tunnels, route, job } = await world();
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    tunnels.setRoutes(new Map([['a', route]]));
    await vi.waitFor(() => expect(tunnels.isOpen('a')).toBe(true), PATIENCE);
    const stream = await tunnels.open('a', (silent.address() as AddressInfo).port);
    if (stream === null) throw new Error('the tunnel is not open');
    stream.write('a request');
    job.kill();
    await expect(text(stream)).rejects.toThrow('The SSH connection to the host broke');
  });

  it('are not made to a host or a job with another key', async () => {
    const { tunnels, route } = await world();
    const texts: string[] = [];
    const other = new ReplicaTunnels({
      log: { info: (fields: { error: string }) => texts.push(fields.error) } as unknown as ProxyLog,
    });
    onTestFinished(() => other.close());
    other.setKey(newEd25519Pair('unused').privateKey);
    const wrong = blobOf(newEd25519Pair('another').publicKey);
    other.setRoutes(
      new Map([
        ['host', { ...route, hostKey: wrong }],
        ['job', { ...route, jobHostKey: wrong }],
      ]),
    );
    await vi.waitFor(() => expect(texts.length).toBeGreaterThan(0), PATIENCE);
    expect(other.isOpen('host')).toBe(false);
    expect(texts[0]).toMatch(/host key/);
    expect(tunnels.isOpen('job')).toBe(false);
  });
});
