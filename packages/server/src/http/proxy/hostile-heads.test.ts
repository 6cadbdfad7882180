/** Hostile requests, byte by byte. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
let app: Server;
/** The requests that the app has received since the last check. */
const seen: { url: string; headers: readonly string[]; body: string }[] = [];
const malformed: string[] = [];

beforeAll(async () => {
  proxy = await ProxiedServices.start();
  app = createServer(async (request, response) => {
    const one = { url: request.url ?? '', headers: request.rawHeaders, body: '' };
    seen.push(one);
    try {
      for await (const chunk of request.setEncoding('latin1')) one.body += chunk;
      response.end('ok');
    } catch {
      // The client has closed before its body was complete.
    }
  });
  app.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
    // An end in the middle means that the client disconnected.
    if (code?.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE') malformed.push(code);
    socket.destroy();
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const { port } = app.address() as AddressInfo;
  await proxy.service('open', { auth: false }, [port]);
  await proxy.service('closed', {}, [port]);
});
afterAll(async () => {
  await proxy.close();
  app.closeAllConnections();
  app.close();
});

/** Everything that the server answers until it closes the connection. */
async function send(bytes: string): Promise<string> {
  const { port } = proxy.server.app.server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  // A reset is an answer too.
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  // The server reads as much as it needs, then to the end.
  socket.end(bytes, 'latin1');
  await closed;
  return answer;
}

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: h\r\nX-Dstack-User: root\r\n\r\n';

const request = (service: string, lines: readonly string[], body: string) =>
  [`POST /proxy/services/main/${service}/x HTTP/1.1`, 'Host: h', ...lines, '', body].join('\r\n');

function checkSeen(): void {
  expect(malformed.splice(0)).toEqual([]);
  for (const { url, headers, body } of seen.splice(0)) {
    expect(url).toBe('/x');
    const text = headers.join('\n');
    expect(text).not.toContain(proxy.server.token);
    expect(text).not.toMatch(/root|6\.6\.6\.6/);
    const names = headers.filter((_part, i) => i % 2 === 0).map((name) => name.toLowerCase());
    for (const one of ['host', 'content-length', 'transfer-encoding', 'x-forwarded-for']) {
      expect(names.filter((name) => name === one).length).toBeLessThanOrEqual(1);
    }
    const isFramed = names.includes('content-length') || names.includes('transfer-encoding');
    expect(names.includes('content-length') && names.includes('transfer-encoding')).toBe(false);
    if (!isFramed) expect(body).toBe('');
  }
}

describe('a request with', () => {
  it.each([
    ['two lengths', ['Content-Length: 5', 'Content-Length: 6']],
    ['the same length twice', ['Content-Length: 5', 'Content-Length: 5']],
    ['a list of lengths', ['Content-Length: 5, 5']],
    ['a signed length', ['Content-Length: +5']],
    ['a hexadecimal length', ['Content-Length: 0x5']],
    ['a negative length', ['Content-Length: -5']],
    ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 5']],
    ['a coding after chunks', ['Transfer-Encoding: chunked, identity']],
    ['an unknown coding', ['Transfer-Encoding: xchunked']],
    ['a coding of two lines', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity']],
    ['a blank before the colon', ['Transfer-Encoding : chunked']],
    ['a folded line', ['Transfer-Encoding:', ' chunked']],
    ['a bare line feed', ['X-A: a\nTransfer-Encoding: chunked']],
    ['a bare carriage return', ['X-A: a\rTransfer-Encoding: chunked']],
    ['a zero byte', ['X-A: a\0b']],
    ['a second host', ['Host: other']],
    ['its length as its connection’s', ['Connection: Content-Length', 'Content-Length: 5']],
    ['its host as its connection’s', ['Connection: Host', 'Content-Length: 5']],
    ['a disguised coding', ['Transfer_Encoding: chunked', 'Content-Length: 5']],
  ])('%s smuggles nothing to the app', async (_what, lines) => {
    for (const body of [`5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`, `0\r\n\r\n${SMUGGLED}`, SMUGGLED]) {
      const answer = await send(request('open', [...lines, 'Connection: close'], body));
      expect(answer).toMatch(/^(HTTP\/1\.1 [24]\d\d |$)/);
      checkSeen();
    }
  });
});

const line = fc.oneof(
  fc.constantFrom(
    ...['Content-Length: 5', 'Content-Length: 0', 'Content-Length: 99', 'Content-Length:5 '],
    ...['Transfer-Encoding: chunked', 'transfer-encoding:\tchunked', 'Transfer-Encoding: gzip'],
    ...['Connection: close', 'Connection: keep-alive, X-Dstack-User', 'Connection: upgrade'],
    ...['Connection: X-Forwarded-For, Host', 'Connection: Content-Length', 'Expect: 100-continue'],
    ...['Upgrade: h2c', 'TE: trailers', 'Trailer: X-Dstack-User', 'Keep-Alive: timeout=1'],
    ...[
      'X-Dstack-User: root',
      'x-dstack-USER: root',
      'X_Dstack_User: root',
      'Forwarded: for=6.6.6.6',
    ],
    ...[
      'X-Forwarded-For: 6.6.6.6',
      'X_Forwarded_For: 6.6.6.6',
      'X-Real-IP: 6.6.6.6',
      'Cookie: a=1',
    ],
    ...['Host: other', 'Proxy-Connection: close', 'X-Twice: 1', 'X-Twice: 2', 'Accept: a\xffb'],
  ),
  fc.constant('token').map(() => `Authorization: Bearer ${proxy.server.token}`),
  fc.string({ unit: 'binary-ascii', maxLength: 30 }),
);

const body = fc.oneof(
  fc.constantFrom(
    '',
    'hello',
    SMUGGLED,
    `hello${SMUGGLED}`,
    '0\r\n\r\n',
    '5\r\nhello\r\n0\r\n\r\n',
  ),
  fc.constantFrom(
    `0\r\n\r\n${SMUGGLED}`,
    '0\r\nX-Dstack-User: root\r\n\r\n',
    'ffffffffff\r\n',
    'x\r\n',
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 60 }),
);

it('for any bytes, the app receives only valid requests, and the server keeps running', async () => {
  const message = fc.tuple(
    fc.constantFrom('open', 'closed'),
    fc.array(line, { maxLength: 8 }),
    body,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 3 }), async (messages) => {
      const answer = await send(messages.map((parts) => request(...parts)).join(''));
      for (const [, status] of answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)) {
        expect(Number(status)).not.toBe(500);
      }
      checkSeen();
    }),
    { numRuns: 400, interruptAfterTimeLimit: 3000 },
  );
  expect((await proxy.get('web/x')).status).toBe(200);
});
