import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, ProxiedServices } from '../testing/proxied-services.ts';
import { pieces } from '../testing/replica-app.ts';

let proxy: ProxiedServices;
beforeAll(async () => {
  proxy = await ProxiedServices.start();
});
afterAll(() => proxy.close());

describe('a service without a gateway', () => {
  it.each([...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'MKCOL', 'LOCK']])(
    'accepts %s',
    async (method) => {
      const body = ['GET', 'DELETE', 'OPTIONS', 'MKCOL'].includes(method) ? undefined : '{"a": 1';
      const init = { method, ...(body && { body, headers: { 'content-type': 'application/x' } }) };
      const seen = await json(await proxy.get('web/echo?x=1&y=%2F', init));
      expect(seen).toMatchObject({ method, url: '/echo?x=1&y=%2F', body: body ?? '' });
      const headers = seen.headers.map((part: string) => part.toLowerCase());
      expect(headers).not.toContain(`bearer ${proxy.server.token}`);
      expect(headers).toContain('x-forwarded-prefix');
      if (body) expect(headers).toContain('application/x');
    },
  );

  it('is not asked by a stranger, whatever the method', async () => {
    const headers = { authorization: 'Bearer wrong' };
    expect((await proxy.get('web/echo', { method: 'PROPFIND', headers })).status).toBe(403);
  });

  it('gets no request with two host names', async () => {
    const { port } = new URL(proxy.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `GET /proxy/services/main/web/x HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\nAuthorization: Bearer ${proxy.server.token}\r\n\r\n`,
    );
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('more than one `Host` header');
  });

  it('is found by a URL in absolute form, as clients of proxies send it', async () => {
    const { port } = new URL(proxy.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `GET http://dstack.test/proxy/services/main/web/echo?x=1 HTTP/1.1\r\nHost: dstack.test\r\nConnection: close\r\nAuthorization: Bearer ${proxy.server.token}\r\n\r\n`,
    );
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('"url":"/echo?x=1"');
  });

  it('answers HEAD without a body', async () => {
    const answer = await proxy.get('web/echo', { method: 'HEAD' });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  });

  it('returns its own headers', async () => {
    const answer = await proxy.get('web/echo');
    expect(answer.headers.getSetCookie()).toHaveLength(2);
    expect(answer.headers.get('x-request-id')).toBeTruthy();
    const login = await proxy.get('web/login');
    expect(login.status).toBe(302);
    expect(login.headers.get('location')).toBe('/proxy/services/main/web/echo');
    expect(login.headers.get('server')).toBeNull();
  });

  it('gets its path as it was written', async () => {
    const path = '/proxy/services/main/web/a%2Fb//c/../100%?q=a?b#c';
    expect((await proxy.raw(path)).body).toMatch(/^(one|two) \/a%2Fb\/\/c\/\.\.\/100%\?q=a\?b/);
    const long = `/${'x'.repeat(4000)}`;
    expect((await proxy.raw(`/proxy/services/main/web${long}`)).body).toContain(long);
  });

  it('gets the whole path if its prefix is not stripped', async () => {
    await proxy.service('whole', { strip_prefix: false });
    expect(await (await proxy.get('whole/a?b')).text()).toContain(
      ' /proxy/services/main/whole/a?b',
    );
  });

  it('redirects from its path without a trailing slash', async () => {
    const answer = await proxy.get('web?a=/b');
    expect(answer.status).toBe(308);
    expect(answer.headers.get('location')).toBe('/proxy/services/main/web/?a=/b');
    expect((await proxy.get('web', { method: 'POST' })).status).toBe(308);
    expect((await proxy.get('web', { method: 'OPTIONS' })).status).toBe(405);
  });

  it('shares requests among its replicas', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 4; i++) seen.add((await (await proxy.get('web/x')).text()).slice(0, 3));
    expect([...seen].sort()).toEqual(['one', 'two']);
  });

  it('receives and sends large bodies piece by piece', async () => {
    const body = Readable.toWeb(Readable.from(pieces(8))) as ReadableStream;
    const sent = await proxy.get('web/upload', {
      method: 'POST',
      body,
      duplex: 'half',
    } as RequestInit);
    expect(await sent.text()).toBe(String(8 * 1024 * 1024));
    const got = await (await proxy.get('web/download')).arrayBuffer();
    expect(got.byteLength).toBe(16 * 1024 * 1024);
    expect(new Uint8Array(got).at(-1)).toBe(15);
  });

  it('may answer before it has read a body, and the connection lives on', async () => {
    const body = Buffer.alloc(4 * 1024 * 1024);
    const answer = await proxy.get('web/refuses', { method: 'POST', body });
    expect([answer.status, await answer.text()]).toEqual([413, 'too much']);
    expect((await proxy.get('web/x')).status).toBe(200);
  });

  it('sends fields after the body, but none of those of this server', async () => {
    const { response, body } = await proxy.raw('/proxy/services/main/web/trailers');
    expect([body, response.trailers]).toEqual(['part', { 'x-sum': '4' }]);
  });

  /** Sends a body in parts, with fields after it, and returns the answer. */
  async function trailed(path: string, trailers: readonly string[], body = '3\r\nabc\r\n0\r\n') {
    const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1');
    const head = [
      ...[
        `POST /proxy/services/main/web/${path} HTTP/1.1`,
        'Host: dstack.test',
        'Connection: close',
      ],
      ...['Transfer-Encoding: chunked', 'Trailer: X-Sum, X-Dstack-User'],
      `Authorization: Bearer ${proxy.server.token}`,
    ];
    socket.write(
      `${head.join('\r\n')}\r\n\r\n${body}${trailers.map((it) => `${it}\r\n`).join('')}\r\n`,
    );
    return await text(socket);
  }

  it('gets the fields after the body of a request, but none with a token or for this server', async () => {
    const answer = await trailed('trailed', [
      ...['X-Sum: 4', 'X-Dstack-User: root', 'X-Forwarded-For: 1.2.3.4'],
      ...[`X-Api-Key: ${proxy.server.token}`, 'X-Api-Key: of-the-app', 'Cookie: a=1'],
    ]);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(
      JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1)),
    ).toMatchObject({
      ...{ body: 'abc', trailer: 'X-Sum', 'x-dstack-user': 'admin' },
      rawTrailers: ['X-Sum', '4', 'X-Api-Key', 'of-the-app'],
    });
  });

  it.each([
    ['refuses', 413, 'too much'],
    ['trailers', 200, 'X-Sum: 4'],
    ['drops', 502, 'closed the connection without an answer'],
    ['download', 200, ''],
  ])('that answers a request with fields after its body: %s', async (path, status, part) => {
    const answer = await trailed(path, ['X-Sum: 4']);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain(part);
    if (path === 'download') expect(answer.length).toBeGreaterThan(16 * 1024 * 1024);
  });

  it('is refused in the form of OpenAI below /v1', async () => {
    const headers = { authorization: 'Bearer wrong' };
    const refused = await json(await proxy.get('web/v1/chat/completions', { headers }));
    expect(refused.error).toEqual({
      ...{ message: refused.detail, type: 'permission_error', param: null, code: null },
    });
    expect(await json(await proxy.get('web/x', { headers }))).toEqual({ detail: refused.detail });
  });

  it('sends events as they happen', async () => {
    proxy.signals.next = Promise.withResolvers();
    const reader = (await proxy.get('web/events')).body
      ?.pipeThrough(new TextDecoderStream())
      .getReader();
    expect((await reader?.read())?.value).toBe('data: 0\n\n');
    proxy.signals.next.resolve();
    let rest = '';
    for (let part = await reader?.read(); !part?.done; part = await reader?.read()) {
      rest += part?.value;
    }
    expect(rest).toBe('data: 1\n\ndata: 2\n\n');
  });

  it('sends an event that comes after the head, and is followed by nothing', async () => {
    proxy.signals.next = Promise.withResolvers();
    const disconnected = new AbortController();
    const answer = await proxy.get('web/late-events', { signal: disconnected.signal });
    proxy.signals.next.resolve();
    const first = await answer.body?.getReader().read();
    expect(new TextDecoder().decode(first?.value)).toBe('data: 0\n\n');
    disconnected.abort();
  });

  it('is informed when a client has disconnected', async () => {
    proxy.signals.unanswered = { arrived: Promise.withResolvers(), left: Promise.withResolvers() };
    const disconnected = new AbortController();
    const answer = proxy.get('web/silent', { signal: disconnected.signal });
    await proxy.signals.unanswered.arrived.promise;
    disconnected.abort();
    await expect(answer).rejects.toThrow();
    await proxy.signals.unanswered.left.promise;
  });

  it('supports WebSocket', async () => {
    const socket = proxy.socket('main/web/ws?a=1');
    const [hello] = await once(socket, 'message');
    expect(String(hello)).toMatch(/^(one|two) \/ws\?a=1$/);
    const big = Buffer.alloc(3 * 1024 * 1024, 7);
    socket.send(big);
    const [echo, isBinary] = await once(socket, 'message');
    expect([Buffer.compare(echo, big), isBinary]).toEqual([0, true]);
    socket.close(4000);
    const [code] = await once(socket, 'close');
    expect(code).toBe(4000);
  });

  it.each([
    ['main/web/no-sockets', {}, 404],
    ['main/nosuch/ws', {}, 404],
    ['main/web/ws', { authorization: 'Bearer wrong' }, 403],
  ])('answers a WebSocket for %s with %j by %i', async (path, headers, status) => {
    const socket = proxy.socket(path, headers);
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(status);
    socket.on('error', () => {});
    socket.terminate();
  });

  it('accepts no other protocol, but ignores an optional upgrade to HTTP/2', async () => {
    const path = '/proxy/services/main/web/x';
    const other = await proxy.raw(path, { connection: 'Upgrade', upgrade: 'tcp' });
    expect([other.response.statusCode, other.body]).toEqual([
      400,
      '{"detail":"Upgrading connections is not supported"}',
    ]);
    const h2 = await proxy.raw(path, { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' });
    expect(h2.response.statusCode).toBe(200);
  });

  it.each(['websocket', 'h2c'])('gets the body of a request that offers %s', async (upgrade) => {
    const headers = { connection: 'Upgrade', upgrade, 'content-type': 'text/plain' };
    const path = '/proxy/services/main/web/echo';
    const { response, body } = await proxy.raw(path, headers, 'POST', 'text');
    expect([response.statusCode, JSON.parse(body)]).toEqual([
      200,
      expect.objectContaining({ method: 'POST', body: 'text' }),
    ]);
  });
});
