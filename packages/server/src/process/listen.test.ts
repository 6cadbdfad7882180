import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { checkAddress } from './listen.ts';
import { StartError } from './start-error.ts';

it('does not occupy a free address', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const address = { host: '127.0.0.1', port };
  await expect(checkAddress(address)).rejects.toThrow(`port ${port} on 127.0.0.1 is in use`);
  server.close();
  await once(server, 'close');
  await checkAddress(address);
  await checkAddress(address);
});

it.each(['192.0.2.1', 'no-such-host.invalid'])(
  'reports that %s is not an address of the server host',
  async (host) => {
    const failure = checkAddress({ host, port: 0 });
    await expect(failure).rejects.toBeInstanceOf(StartError);
    await expect(failure).rejects.toThrow(`${host} is not an address of this computer`);
  },
);
