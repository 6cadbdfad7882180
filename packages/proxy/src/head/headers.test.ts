import { describe, expect, it } from 'vitest';
import { trustIn } from './forwarded.ts';
import { type RequestContext, requestHeaders, responseHeaders } from './headers.ts';

const OWN = 'Bearer own';
const context: RequestContext = {
  sender: { address: '10.0.0.9', isEncrypted: false, trust: trustIn([]) },
  prefix: '/proxy/services/main/web',
  user: null,
  ownValues: new Set([OWN]),
  requestId: 'id',
};
const proxied = (trusted: string, address = '10.0.0.9'): RequestContext => ({
  ...context,
  sender: { address, isEncrypted: false, trust: trustIn([trusted]) },
});

/** Returns the headers that apps receive, by names in lower case. */
function seen(raw: readonly string[], how: Partial<RequestContext> = {}) {
  const headers = requestHeaders(raw, { ...context, ...how });
  const pairs = headers.flatMap((part, i) => (i % 2 ? [] : [[part.toLowerCase(), headers[i + 1]]]));
  return Object.fromEntries(pairs) as Record<string, string>;
}

it('an answer at a path of a shared host name is not isolated from the name, and affects its path only', () => {
  const answer = { path: '/embed', isStripped: true, host: 'api.test', isOpenToOrigins: false };
  const raw = [
    ...['Set-Cookie', 'a=1; Path=/; Domain=test', 'Location', '/next', 'Clear-Site-Data', '*'],
    ...['Service-Worker-Allowed', '/', 'Strict-Transport-Security', 'max-age=9'],
  ];
  expect(responseHeaders(raw, { ...answer, isSandboxed: false })).toEqual([
    ...['Set-Cookie', 'a=1; Path=/embed/', 'Location', '/embed/next'],
  ]);
  expect(responseHeaders([], answer).join()).toContain('sandbox');
});

describe('a request to a service', () => {
  it("keeps the client's headers, except hop-by-hop ones", () => {
    const raw = [
      ...['Host', 'server:3000', 'Authorization', 'Bearer of-app', 'Connection', 'X-Mine'],
      ...['Keep-Alive', 'timeout=5', 'X-Mine', 'dropped', 'Transfer-Encoding', 'chunked'],
      ...['TE', 'trailers', 'Upgrade', 'h2c', 'HTTP2-Settings', 'x', 'Expect', '100-continue'],
      ...['connection', 'keep-alive , x-second,host', 'X-Second', 'dropped'],
      ...['X-Twice', 'a', 'x-twice', 'b', 'Content-Length', '3'],
    ];
    const kept = requestHeaders(raw, context).slice(0, -10);
    expect(kept).toEqual([
      ...['Host', 'server:3000', 'Authorization', 'Bearer of-app'],
      ...['X-Twice', 'a', 'x-twice', 'b', 'Content-Length', '3'],
    ]);
  });

  it('has no token of this server, beside a token of the app or alone', () => {
    expect(seen(['Host', 'h', 'AUTHORIZATION', OWN])).not.toHaveProperty('authorization');
    const both = ['Authorization', OWN, 'authorization', 'Basic YTpi'];
    expect(seen(both).authorization).toBe('Basic YTpi');
  });

  it('names its caller if there is one, and never a name that the client sent', () => {
    const raw = [
      ...['X-Dstack-User', 'root', 'x-dstack-user', 'root', 'X_Dstack_User', 'root'],
      ...['X-Dstack-Other', 'x', 'Connection', 'X-Dstack-User'],
    ];
    expect(JSON.stringify(seen(raw))).not.toMatch(/root|other/i);
    expect(seen(raw, { user: 'alice' })).toMatchObject({ 'x-dstack-user': 'alice' });
    expect(requestHeaders(raw, { ...context, user: 'alice' }).join()).not.toMatch(/root/);
  });

  it('has the address of the client', () => {
    expect(requestHeaders(['Host', 'server:3000'], context).slice(2)).toEqual([
      ...['X-Forwarded-For', '10.0.0.9', 'X-Forwarded-Proto', 'http'],
      ...['X-Forwarded-Host', 'server:3000', 'X-Forwarded-Prefix', '/proxy/services/main/web'],
      ...['X-Request-Id', 'id'],
    ]);
    expect(seen(['x-request-id', 'other'])['x-request-id']).toBe('id');
  });

  it("has only this server's values if the client is not a trusted proxy", () => {
    const raw = [
      ...['Host', 'server:3000', 'x-forwarded-for', '1.2.3.4', 'X-Forwarded-Proto', 'https'],
      ...['X-Forwarded-Host', 'evil', 'X-Forwarded-Prefix', '/evil', 'Forwarded', 'for=1.2.3.4'],
      ...['X-Forwarded-User', 'root', 'X-Real-IP', '1.2.3.4', 'X_Forwarded_For', '1.2.3.4'],
      ...['True-Client-IP', '1.2.3.4', 'CF-Connecting-IP', '1.2.3.4', 'X_Real_IP', '1.2.3.4'],
    ];
    for (const how of [context, proxied('10.0.0.8')]) {
      expect(requestHeaders(raw, how)).toEqual(requestHeaders(['Host', 'server:3000'], context));
    }
  });

  it('has the values of a trusted proxy before this server', () => {
    const raw = [
      ...['Host', 'server:3000', 'x-forwarded-for', '1.2.3.4', 'X-Forwarded-Proto', 'https'],
      ...['X-Forwarded-Host', 'ai.example.com', 'X-Forwarded-Prefix', '/dstack/'],
      ...['X-Forwarded-Port', '8443', 'X-Real-IP', '1.2.3.4', 'Forwarded', 'for=1.2.3.4'],
    ];
    expect(seen(raw, { ...proxied('10.0.0.0/8'), prefix: '/p' })).toEqual({
      host: 'server:3000',
      'x-request-id': 'id',
      'x-forwarded-for': '1.2.3.4, 10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'ai.example.com',
      'x-forwarded-prefix': '/dstack/p',
      'x-forwarded-port': '8443',
      'x-real-ip': '1.2.3.4',
      forwarded: 'for=1.2.3.4, for=10.0.0.9;proto=https',
    });
  });

  it.each([
    ['6.6.6.6, 1.2.3.4', '1.2.3.4, 10.0.0.9'],
    ['6.6.6.6, 1.2.3.4 , 10.0.0.7', '1.2.3.4, 10.0.0.7, 10.0.0.9'],
    ['10.0.0.7', '10.0.0.7, 10.0.0.9'],
    ['6.6.6.6, unknown', 'unknown, 10.0.0.9'],
    [', ,', '10.0.0.9'],
  ])('keeps of a chain %j the part that trusted proxies have written', (given, passed) => {
    const raw = ['X-Forwarded-For', given];
    expect(seen(raw, proxied('10.0.0.0/8'))['x-forwarded-for']).toBe(passed);
  });

  it('is from a trusted proxy with any form of its address', () => {
    const raw = ['X-Forwarded-For', '1.2.3.4', 'Forwarded', 'for=1.2.3.4'];
    const mapped = seen(raw, proxied('10.0.0.9', '::ffff:10.0.0.9'));
    expect(mapped['x-forwarded-for']).toBe('1.2.3.4, ::ffff:10.0.0.9');
    const six = seen(raw, proxied('loopback', '::1'));
    expect(six.forwarded).toBe('for=1.2.3.4, for="[::1]";proto=http');
  });

  it.each([
    ['X-Forwarded-Proto', 'javascript', 'x-forwarded-proto', 'http'],
    ['X-Forwarded-Proto', 'http, HTTPS', 'x-forwarded-proto', 'https'],
    ['X-Forwarded-Prefix', 'nonsense', 'x-forwarded-prefix', '/proxy/services/main/web'],
    ['X-Forwarded-Prefix', '/', 'x-forwarded-prefix', '/proxy/services/main/web'],
  ])('converts a trusted %s: %s', (name, value, seenAs, is) => {
    expect(seen([name, value], proxied('loopback', '127.0.0.1'))[seenAs]).toBe(is);
  });

  it('keeps cookies except those of this server', () => {
    const cookie = (value: string) => seen(['Cookie', value]).cookie;
    expect(cookie('a=1; dstack_session=x; b=2')).toBe('a=1; b=2');
    expect(cookie('__Host-dstack-session=x')).toBeUndefined();
    expect(cookie('not-dstack=1')).toBe('not-dstack=1');
  });

  it('keeps other names with an underscore', () => {
    expect(seen(['api_key', '1', 'Transfer_Encoding', 'chunked'])).toMatchObject({ api_key: '1' });
    for (const name of ['Transfer_Encoding', 'Content_Length', 'X_Request_Id']) {
      expect(seen([name, '5'])).not.toHaveProperty(name.toLowerCase());
    }
  });
});

describe('an answer of a service', () => {
  const answer = (raw: string[], isStripped = true) =>
    responseHeaders(raw, {
      ...{ path: '/p', isStripped, host: 'server:3000', isOpenToOrigins: false },
    }).slice(0, -2);

  it('keeps cookies separate and drops headers that this server sets', () => {
    const raw = ['Set-Cookie', 'a=1', 'Date', 'x', 'Server', 'y', 'Set-Cookie', 'b=2'];
    expect(answer(raw)).toEqual(['Set-Cookie', 'a=1; Path=/p/', 'Set-Cookie', 'b=2; Path=/p/']);
  });

  it.each([
    ['a=1; Path=/; HttpOnly', 'a=1; HttpOnly; Path=/p/', 'a=1; HttpOnly; Path=/p/'],
    ['a=1; path=/x;Domain=.com', 'a=1; Path=/p/x', 'a=1; Path=/p/'],
    ['a=1;PATH = /p/x', 'a=1; Path=/p/x', 'a=1; Path=/p/x'],
    ['a=1; Path=/p/x; Path=/', 'a=1; Path=/p/', 'a=1; Path=/p/'],
    ['a=1; Path=/pages', 'a=1; Path=/p/pages', 'a=1; Path=/p/'],
    ['a="x;Path=/api"', 'a="x; Path=/p/api"', 'a="x; Path=/p/'],
    ['a=1; Path=', 'a=1; Path=/p/', 'a=1; Path=/p/'],
    ['', '; Path=/p/', '; Path=/p/'],
  ])('limits the cookie %j to its service', (given, stripped, whole) => {
    expect(answer(['Set-Cookie', given], true)).toEqual(['Set-Cookie', stripped]);
    expect(answer(['Set-Cookie', given], false)).toEqual(['Set-Cookie', whole]);
  });

  it('cannot set a cookie of this server', () => {
    const raw = ['dstack_session=x', '__Host-dstack=1; Path=/', ' dstack=1', '=dstack_session=x'];
    expect(answer(raw.flatMap((value) => ['Set-Cookie', value]))).toEqual([]);
  });

  it('has no header that applies to more than the service', () => {
    const raw = [
      ...['Clear-Site-Data', '"*"', 'Strict-Transport-Security', 'max-age=1', 'Alt-Svc', 'h3=":1"'],
      ...['Service-Worker-Allowed', '/', 'NEL', '{}', 'Report-To', '{}', 'X-Dstack-User', 'root'],
    ];
    expect(answer(raw)).toEqual([]);
  });

  it('is isolated by browsers, whatever its own policy', () => {
    const own = ['Content-Security-Policy', 'sandbox allow-same-origin allow-scripts'];
    const headers = responseHeaders(own, {
      ...{ path: '/p', isStripped: true, host: null, isOpenToOrigins: false },
    });
    // All policies of an answer apply, and none of them allows what another one forbids.
    expect(headers).toEqual([...own, 'Content-Security-Policy', 'sandbox']);
  });

  it('may be read by pages of every origin only without credentials', () => {
    const own = [
      'Access-Control-Allow-Origin',
      'http://a',
      'Access-Control-Allow-Credentials',
      'true',
    ];
    const context = { path: '/p', isStripped: true, host: null };
    expect(responseHeaders(own, { ...context, isOpenToOrigins: true }).slice(2)).toEqual([
      ...['Access-Control-Allow-Origin', '*', 'Access-Control-Expose-Headers', '*'],
    ]);
  });

  it.each([
    ['/login?next=/', '/p/login?next=/'],
    ['http://server:3000/login', 'http://server:3000/p/login'],
    ['HTTP://Server:3000/login', 'HTTP://Server:3000/p/login'],
    ['http://server/login', 'http://server/login'],
    ['/p/login', '/p/login'],
    ['/p', '/p'],
    ['/pages', '/p/pages'],
    ['login', 'login'],
    ['//elsewhere/login', '//elsewhere/login'],
    ['https://elsewhere/login', 'https://elsewhere/login'],
    ['?page=2', '?page=2'],
  ])('that redirects to %s leads to %s', (from, to) => {
    expect(answer(['Location', from])).toEqual(['Location', to]);
    expect(answer(['Location', from], false)).toEqual(['Location', from]);
  });

  it.each([
    ['http://server:80/login', 'server', 'http://server:80/p/login'],
    ['https://server:443/login', 'server', 'https://server:443/p/login'],
    ['http://server/login', 'server:80', 'http://server/p/login'],
    ['http://server:8080/login', 'server', 'http://server:8080/login'],
    ['https://server:80/login', 'server', 'https://server:80/login'],
    ['http://[::1]:80/login', '[::1]', 'http://[::1]:80/p/login'],
  ])('that redirects to %s for a client of %s leads to %s', (from, host, to) => {
    const context = { path: '/p', isStripped: true, isOpenToOrigins: false };
    expect(responseHeaders(['Location', from], { ...context, host }).slice(0, 2)).toEqual([
      ...['Location', to],
    ]);
  });
});
