/** Uploads that are answered before they are complete. */
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
/** Answers before it has read anything, and keeps the connection. */
const app = createServer((_request, response) => void response.writeHead(413).end('too much'));

beforeAll(async () => {
  proxy = await ProxiedServices.start();
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  await proxy.service('early', { auth: false }, [(app.address() as AddressInfo).port]);
});
afterAll(async () => {
  await proxy.close();
  app.closeAllConnections();
  app.close();
});

const MB = 1024 * 1024;

function dial(): Socket {
  const { port } = proxy.server.app.server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  return socket;
}

const head = (path: string, framing: string) =>
  `POST /proxy/services/main/${path} HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n`;

describe.each([
  ['the app', 'early/x'],
  ['this server', 'nosuch/x'],
])('an upload that %s refuses early', (_who, path) => {
  it('is read to its end if that is near, and the connection lives on', async () => {
    const socket = dial();
    socket.write(head(path, `Content-Length: ${8 * MB}`));
    // Most clients read the answer only after they have sent everything.
    await new Promise((resolve) => socket.write(Buffer.alloc(8 * MB), resolve));
    socket.write(head(path, 'Content-Length: 0\r\nConnection: close'));
    const answers = await text(socket);
    expect(answers.match(/HTTP\/1\.1 4\d\d /g)).toHaveLength(2);
  });

  it('gets its answer, and its connection is closed when it never ends', async () => {
    const socket = dial();
    let sent = 0;
    const part = Buffer.concat([
      Buffer.from('10000\r\n'),
      Buffer.alloc(65_536),
      Buffer.from('\r\n'),
    ]);
    socket.write(head(path, 'Transfer-Encoding: chunked'));
    const more = (): void => {
      if (socket.destroyed || !socket.writable) return;
      sent += part.length;
      socket.write(part, () => setImmediate(more));
    };
    more();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    let answer = '';
    socket.on('data', (bytes) => {
      answer += String(bytes);
    });
    await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(sent).toBeLessThan(64 * MB);
  });
});

it('an upload that an app refuses early is answered at once while the client is silent', async () => {
  const outgoing = httpRequest(`${proxy.url}/proxy/services/main/early/x`, {
    method: 'POST',
    headers: { 'content-length': String(8 * MB) },
  });
  outgoing.on('error', () => {});
  outgoing.write(Buffer.alloc(65_536));
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  expect([answer.statusCode, await text(answer)]).toEqual([413, 'too much']);
  outgoing.destroy();
});
