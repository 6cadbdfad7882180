import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { askUpgrade, type Upgrade } from './upgrade.ts';

let app: Server;
afterEach(() => app.close());

/** Asks an app that answers with this text for a WebSocket, and returns what the client gets. */
async function asked(answer: string) {
  app = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  }).listen(0, '127.0.0.1');
  await once(app, 'listening');
  const { port } = app.address() as AddressInfo;
  const socket = new PassThrough();
  const request = { method: 'GET', headers: { upgrade: 'websocket' } } as IncomingMessage;
  const sent = await askUpgrade(async () => connect(port, '127.0.0.1'), {
    ...{ request, socket, head: Buffer.alloc(0), path: '/', headers: ['Host', 'web'] },
    ...{ answer: {} as Upgrade['answer'], timeoutMs: 10_000 },
  });
  return { sent, text: String(socket.read() ?? '') };
}

it('an app that declines is answered for with its own status', async () => {
  const { sent } = await asked('HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n');
  expect(sent).toMatchObject({ kind: 'done', value: { status: 404 } });
});

it.each(['000', '099'])('the status %s is no answer of an app', async (status) => {
  const { sent, text } = await asked(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
  expect(sent).toMatchObject({ kind: 'failed', unsent: false });
  expect(text).toBe('');
});
