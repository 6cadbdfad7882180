/** Hostile responses of apps, byte by byte. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
let app: Server;
/** The bytes that the app sends to every client before it closes the connection. */
let bytes = '';

beforeAll(async () => {
  proxy = await ProxiedServices.start();
  app = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end(bytes, 'latin1'));
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  await proxy.service('hostile', {}, [(app.address() as AddressInfo).port]);
});
afterAll(async () => {
  await proxy.close();
  app.close();
});

const SECOND_ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Second: 1\r\n\r\nhello';

const status = fc.constantFrom(
  ...['HTTP/1.1 200 OK', 'HTTP/1.1 204 No Content', 'HTTP/1.1 304 Not Modified', 'HTTP/1.0 200 OK'],
  ...['HTTP/1.1 101 Switching Protocols', 'HTTP/1.1 100 Continue', 'HTTP/1.1 103 Early Hints'],
  ...[
    'HTTP/1.1 999 Odd',
    'HTTP/1.1 200',
    'HTTP/1.1 200 caf\xe9',
    'HTTP/1.1 200 \x01',
    'HTTP/2 200',
  ],
  ...['HTTP/1.1 302 Found', 'HTTP/1.1 600 x', 'HTTP/1.1 -1 x', 'nonsense', ''],
);

const line = fc.oneof(
  fc.constantFrom(
    ...['Content-Length: 5', 'Content-Length: 0', 'Content-Length: 99', 'Content-Length: 5, 5'],
    ...['Transfer-Encoding: chunked', 'Transfer-Encoding: gzip', 'Transfer-Encoding : chunked'],
    ...['Connection: close', 'Connection: Content-Security-Policy', 'Connection: upgrade'],
    ...['Upgrade: websocket', 'Set-Cookie: a=1; Path=/; Domain=h', 'Set-Cookie: dstack=1'],
    ...['Content-Security-Policy: sandbox allow-scripts', 'Clear-Site-Data: "*"', 'Location: /x'],
    ...['X-A: a\xffb', 'X-A: a\x01b', 'X A: b', ': empty', 'X-A: a\nX-Second: 1', ' folded'],
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 30 }),
);

const body = fc.oneof(
  fc.constantFrom('', 'hello', '5\r\nhello\r\n0\r\n\r\n', SECOND_ANSWER, `hello${SECOND_ANSWER}`),
  fc.constantFrom(
    `0\r\n\r\n${SECOND_ANSWER}`,
    '5\r\nhello\r\n0\r\nSet-Cookie: a=1\r\n\r\n',
    'x\r\n',
  ),
);

it('whatever an app sends, its client gets one answer, confined to the service', async () => {
  const check = async (head: string, lines: readonly string[], rest: string) => {
    bytes = [head, ...lines, '', rest].join('\r\n');
    // A cut connection shows the client that something is missing.
    const answer = await proxy.raw('/proxy/services/main/hostile/x').catch(() => null);
    if (answer === null) return;
    const { headers, statusCode } = answer.response;
    expect(statusCode).not.toBe(500);
    expect(headers['content-security-policy']).toMatch(/sandbox$/);
    expect(headers).not.toHaveProperty('clear-site-data');
    for (const cookie of headers['set-cookie'] ?? []) {
      expect(cookie).toMatch(/; Path=\/proxy\/services\/main\/hostile\/$/);
    }
  };
  await fc.assert(fc.asyncProperty(status, fc.array(line, { maxLength: 5 }), body, check), {
    numRuns: 400,
    interruptAfterTimeLimit: 3000,
  });
  expect((await proxy.get('web/x')).status).toBe(200);
});
