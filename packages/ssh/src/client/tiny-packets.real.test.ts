import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SshConnection } from './connection.ts';

const { private: privateKey } = ssh2.utils.generateKeyPairSync('ed25519');

/** A host that accepts every login, and announces the packet size of a channel. */
let host: ssh2.Server;
let packetSize: number;

interface Insides {
  readonly _protocol: {
    channelOpenConfirm(remote: number, local: number, window: number, size: number): void;
  };
}

beforeEach(async () => {
  host = new ssh2.Server({ hostKeys: [privateKey] }, (client) => {
    const { _protocol: protocol } = client as unknown as Insides;
    const confirm = protocol.channelOpenConfirm.bind(protocol);
    protocol.channelOpenConfirm = (remote, local, window) =>
      confirm(remote, local, window, packetSize);
    client.on('error', () => {});
    client.on('authentication', (context) => context.accept());
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec) => {
        const channel = acceptExec();
        channel.resume().on('end', () => {
          channel.exit(0);
          channel.end();
        });
      });
    });
  });
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
});
afterEach(() => void host.close());

async function run(): Promise<{ readonly code: number | null }> {
  const { port } = host.address() as AddressInfo;
  const login = { hostname: '127.0.0.1', port, user: 'root', privateKey };
  const connection = await SshConnection.open({ login, hostKeys: {}, pin: async () => {} });
  return await connection
    .exec('cat', { input: 'x'.repeat(100_000), timeoutMs: 10_000 })
    .finally(() => connection.close());
}

it('a host that accepts no data at all is disconnected, and the server continues', async () => {
  packetSize = 32_768;
  expect(await run()).toMatchObject({ code: 0 });
  packetSize = 0;
  await expect(run()).rejects.toThrow();
});
