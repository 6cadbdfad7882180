import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { HostError, JumpHosts, SshConnection } from '@dstack/ssh';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutgoingRules } from '../../outgoing/outgoing-rules.ts';

let service: Server;
let visits: number;
beforeEach(async () => {
  visits = 0;
  service = createServer((socket) => {
    visits += 1;
    socket.on('error', () => {});
    socket.end('not an sshd\r\n');
  }).listen(0);
  await once(service, 'listening');
});
afterEach(() => service.close());

function targetAt(hostname: string, allowed: readonly string[] = []) {
  const rules = new OutgoingRules(allowed);
  const { port } = service.address() as AddressInfo;
  return {
    login: { hostname, port, user: 'root', privateKey: '' },
    mayDial: (host: string, address: string) => rules.allowsHost(host, address),
    ...{ hostKeys: {}, pin: async () => {} },
  };
}

const failure = (opening: Promise<unknown>) =>
  opening.then(
    () => null,
    (error: unknown) => error,
  );

describe('a host that a user has named', () => {
  it.each([
    '127.0.0.1',
    '127.9.9.9',
    'localhost',
    '127.1',
    '2130706433',
    '::1',
    '0.0.0.0',
    '::',
    '::ffff:127.0.0.1',
  ])('is not connected to at %s, which is the server itself', async (hostname) => {
    const error = await failure(SshConnection.open(targetAt(hostname)));
    expect(error).toBeInstanceOf(HostError);
    expect(String(error)).toContain('DSTACK_SERVER_OUTGOING_ALLOW');
    expect(visits).toBe(0);
  });

  it('is not connected to there as a jump host either', async () => {
    const { login, ...keys } = targetAt('localhost');
    const to = { ...login, hostname: '10.0.0.7' };
    expect(String(await failure(new JumpHosts().openTunnel(login, keys, to)))).toContain(
      'loopback',
    );
    expect(visits).toBe(0);
  });

  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.0.0.1', '127.0.0.0/8'],
    ['localhost', 'localhost'],
  ])('is connected to at %s if the operator allows %s', async (hostname, allowed) => {
    await failure(SshConnection.open(targetAt(hostname, [allowed])));
    expect(visits).toBe(1);
  });
});
