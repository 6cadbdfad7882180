import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { HostError, JumpHosts, SshConnection } from '@dstack/ssh';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutgoingRules } from '../../outgoing/outgoing-rules.ts';
import { isOwnAddress } from '../../outgoing/own-address.ts';

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

it.each([
  ...[
    '169.254.169.254',
    '169.254.1.1',
    'fe80::1',
    'fe80::1%eth0',
    '224.0.0.1',
    'ff02::1',
    '0.0.0.0',
  ],
  ...[
    '255.255.255.255',
    '::ffff:169.254.169.254',
    '64:ff9b::7f00:1',
    'fd00:ec2::254',
    'no address',
  ],
])('%s belongs to no host of a network', (address) => {
  expect(isOwnAddress(address)).toBe(true);
});

it.each(['10.0.0.7', '192.168.1.4', '172.16.0.1', '100.64.0.1', 'fd00::7', '8.8.8.8', '2a00::1'])(
  '%s may be a host',
  (address) => {
    expect(isOwnAddress(address)).toBe(false);
  },
);
