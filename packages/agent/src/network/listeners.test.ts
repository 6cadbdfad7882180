import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { listenersAt, parseListeners, tcpListeners } from './listeners.ts';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const line = (local: string, uid: number, state = '0A') =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${uid}        0 4242 1`;

const own = line('2D01477F:1F40', 1);
const any = line('00000000:1F40', 2);
const loopback = line('0100007F:1F40', 3);
const any6 = line('00000000000000000000000000000000:1F40', 4);
const loopback6 = line('00000000000000000000000001000000:1F40', 5);
const mapped = line('0000000000000000FFFF00002D01477F:1F40', 6);
const otherPort = line('2D01477F:1F41', 7);

describe('the listener that accepts a connection to an address', () => {
  it.each([
    { address: '127.71.1.45', lines: [any, own, otherPort], uids: [1] },
    { address: '127.71.1.45', lines: [any, mapped], uids: [6] },
    { address: '127.71.1.45', lines: [any, loopback, any6], uids: [2, 4] },
    { address: '127.71.1.45', lines: [loopback, loopback6], uids: [] },
    { address: 'localhost', lines: [any, loopback, loopback6], uids: [3] },
    { address: 'localhost', lines: [own, any6, loopback6], uids: [4] },
    { address: 'localhost', lines: [own, loopback6], uids: [5] },
    { address: 'localhost', lines: [], uids: [] },
  ])('is $uids for $address among $lines', ({ address, lines, uids }) => {
    const listeners = parseListeners([HEAD, ...lines].join('\n'));
    expect(listenersAt(address, 8000, listeners).map(({ uid }) => uid)).toEqual(uids);
  });

  it('is not a socket that is already connected', () => {
    const text = [HEAD, any, line('2D01477F:1F40', 9, '01'), own].join('\n');
    expect(parseListeners(text).map(({ uid }) => uid)).toEqual([2]);
  });

  it('is found for this host', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(listenersAt('localhost', port, tcpListeners())).toMatchObject([
      { uid: process.getuid?.() },
    ]);
    server.close();
  });
});
