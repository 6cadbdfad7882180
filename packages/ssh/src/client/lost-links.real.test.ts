import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChannelSocket } from './channel-socket.ts';
import { SshConnection } from './connection.ts';

const { private: privateKey } = ssh2.utils.generateKeyPairSync('ed25519');

/** Every channel to it leads to `answer`. */
let host: ssh2.Server;
let transport: Socket;
let answer: (channel: ssh2.ServerChannel) => void;
let connection: SshConnection;

beforeEach(async () => {
  host = new ssh2.Server({ hostKeys: [privateKey] }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (context) => context.accept());
    const serve = (accept: () => ssh2.ServerChannel) => answer(accept());
    client.on('tcpip', serve);
    client.on('openssh.streamlocal', serve);
  });
  (host as unknown as { readonly _srv: NodeJS.EventEmitter })._srv.on('connection', (socket) => {
    transport = socket;
  });
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  const { port } = host.address() as AddressInfo;
  const login = { hostname: '127.0.0.1', port, user: 'root', privateKey };
  connection = await SshConnection.open({ login, hostKeys: {}, pin: async () => {} });
});
afterEach(() => {
  connection.close();
  host.close();
});

async function lose(): Promise<void> {
  transport.destroy();
  await expect.poll(() => connection.isOpen).toBe(false);
}

const WAYS: readonly { readonly way: string; readonly open: () => Promise<Duplex> }[] = [
  { way: 'a socket', open: async () => new ChannelSocket(() => connection.openSocket('/agent')) },
  { way: 'a forwarded port', open: () => connection.forward('localhost', 80) },
  {
    way: 'a jump host',
    open: () => connection.through({ hostname: 'far', port: 22, user: 'root', privateKey }),
  },
];

describe.each(WAYS)('a connection through $way', ({ open }) => {
  it('fails when the link to the host is lost, also for one that reads later', async () => {
    answer = (channel) => void channel.write('half of it');
    const stream = await open();
    let error: Error | null = null;
    stream.on('error', (lost) => {
      error = lost;
    });
    await once(stream, 'readable');
    await lose();
    stream.resume();
    await new Promise(setImmediate);
    expect(String(error)).toContain('The SSH connection to the host broke');
    expect([stream.destroyed, stream.readableEnded]).toEqual([true, false]);
  });

  it('has all of it when it has ended in order, also if the link is lost before it is read', async () => {
    answer = (channel) => {
      channel.write('all of it');
      channel.eof();
    };
    const stream = await open();
    await once(stream, 'readable');
    await lose();
    expect(await text(stream)).toBe('all of it');
  });
});
