import { once } from 'node:events';
import { Duplex } from 'node:stream';
import ssh2, { type ClientChannel } from 'ssh2';
import { afterEach, expect, it } from 'vitest';
import { joinChannel } from './forward.ts';
import { SshListener } from './ssh-listener.ts';

const { private: hostKeyPem } = ssh2.utils.generateKeyPairSync('ed25519');

const client = new ssh2.Client();
let listener: SshListener;
afterEach(async () => {
  // The listener resets what is still open.
  client.on('error', () => {}).end();
  await listener.close();
});

/** A connection whose peer ends its side and takes nothing. */
class Stuck extends Duplex {
  override _read(): void {
    this.push(null);
  }
  override _write(): void {}
}

it('counts a forwarded channel until its connection is closed as well', async () => {
  const connections: Stuck[] = [];
  listener = new SshListener({
    hostKeyPem,
    maxChannels: 2,
    serve: (served) => {
      served.on('authentication', (context) => context.accept());
      served.on('tcpip', (accept) => {
        const connection = new Stuck();
        connections.push(connection);
        joinChannel(accept(), connection);
      });
    },
  });
  const port = await listener.listen('127.0.0.1', 0);
  client.connect({ host: '127.0.0.1', port, username: 'root' });
  await once(client, 'ready');
  const open = () =>
    new Promise<ClientChannel>((resolve, reject) => {
      client.forwardOut('here', 0, 'job', 80, (error, channel) =>
        error ? reject(error) : resolve(channel),
      );
    });
  for (const _ of [1, 2]) {
    const channel = await open();
    channel.resume().end('x');
    await once(channel, 'close');
  }
  await expect(open()).rejects.toThrow('too many channels');
  const [first] = connections;
  first?.destroy();
  await once(first as Stuck, 'close');
  await open();
  await expect(open()).rejects.toThrow('too many channels');
});
