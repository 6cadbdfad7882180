import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import type { RemotePlace } from '@dstack/backends';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { sshOpener } from './backend-host.ts';

let listener: Server;
let reached: number;
beforeEach(async () => {
  reached = 0;
  listener = createServer((socket) => {
    reached += 1;
    socket.destroy();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
});
afterEach(() => listener.close());

const place = (hostname: string): RemotePlace => {
  const { port } = listener.address() as AddressInfo;
  const keys = { hostKeys: {}, pin: async () => {}, ifChanged: '' };
  return { login: { hostname, port, user: 'me', privateKey: '' }, keys };
};

const rules = new OutgoingRules([]);
const opener = sshOpener({ mayDial: (host, address) => rules.allowsHost(host, address) });

it.each(['127.0.0.1', 'localhost', '::ffff:127.0.0.1', '169.254.169.254'])(
  'does not connect to %s for a user',
  async (hostname) => {
    const open = opener.open({ ...place(hostname), jump: null, mayReachServer: false });
    await expect(open).rejects.toThrow(/does not connect to itself for users/);
    expect(reached).toBe(0);
  },
);

it('does not connect to a jump host there for a user', async () => {
  const way = { ...place('login.example'), jump: place('127.0.0.1'), mayReachServer: false };
  await expect(opener.open(way)).rejects.toThrow(/does not connect to itself for users/);
  expect(reached).toBe(0);
});

it('connects to its own computer for the operator', async () => {
  const open = opener.open({ ...place('127.0.0.1'), jump: null, mayReachServer: true });
  await expect(open).rejects.not.toThrow(/itself/);
  expect(reached).toBe(1);
});
