import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { LinkServer, type TunnelEnd } from './link-server.ts';

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const one of cleanUp.splice(0)) one();
});

const ID = 'c0b8b1c6-6f7d-4c1b-9b7e-0a9b3c1d2e3f';
const OPENING = `{"type":"tunnel","id":"${ID}"}\n`;
const log = { debug() {}, info() {}, warn() {}, error() {} } as never;

interface Opened {
  readonly dial: () => Promise<Socket>;
  readonly tunnels: TunnelEnd[];
  readonly orders: object[];
}

async function linkServer(onTunnel = () => {}): Promise<Opened> {
  const dir = mkdtempSync(join(tmpdir(), 'link-'));
  const [tunnels, orders]: [TunnelEnd[], object[]] = [[], []];
  const server = new LinkServer({
    path: join(dir, 'link.sock'),
    onOpen: () => {},
    onOrder: (order) => orders.push(order),
    onClose: () => {},
    onRelay: () => {},
    onTunnel: (_id, end) => {
      tunnels.push(end);
      onTunnel();
    },
    log,
  });
  await server.listen();
  const dial = async () => {
    const far = connect(join(dir, 'link.sock'));
    cleanUp.unshift(() => far.destroy());
    await once(far, 'connect');
    return far;
  };
  cleanUp.push(
    () => server.close(),
    () => tunnels.map(({ socket }) => socket.destroy()),
    () => rmSync(dir, { recursive: true }),
  );
  return { dial, tunnels, orders };
}

/** All that earlier writes have caused has happened: another connection was served after them. */
async function served({ dial, tunnels }: Opened): Promise<void> {
  const before = tunnels.length;
  const far = await dial();
  far.write(OPENING);
  while (tunnels.length === before) await new Promise(setImmediate);
}

it('reads nothing of a tunnel that another process gets, whose answers would be lost', async () => {
  const opened = await linkServer();
  const far = await opened.dial();
  far.write(OPENING);
  await served(opened);
  await new Promise<void>((done) => far.write('HTTP/1.1 200 OK\r\n\r\n', () => done()));
  await served(opened);
  expect(opened.tunnels[0]?.socket.bytesRead).toBe(OPENING.length);
});

it('passes on what came with the opening of a tunnel, such as the greeting of a gRPC server', async () => {
  const opened = await linkServer();
  const far = await opened.dial();
  far.write(`${OPENING}SETTINGS\n`);
  await served(opened);
  expect(opened.tunnels[0]?.opening.rest.toString()).toBe('SETTINGS\n');
});

it('takes orders that came with the opening of the link', async () => {
  const opened = await linkServer();
  const far = await opened.dial();
  far.write('{"type":"control"}\n{"type":"access-changed"}\n');
  await served(opened);
  far.write('{"type":"access-changed"}\n');
  while (opened.orders.length < 2) await new Promise(setImmediate);
  expect(opened.orders).toEqual([{ type: 'access-changed' }, { type: 'access-changed' }]);
});
