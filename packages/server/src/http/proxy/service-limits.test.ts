import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, ProxiedServices } from '../testing/proxied-services.ts';

let proxy: ProxiedServices;
beforeAll(async () => {
  proxy = await ProxiedServices.start();
});
afterAll(() => proxy.close());

describe('rate limits of a service', () => {
  it('are exact, by the longest prefix and the value of a header', async () => {
    const key = { type: 'header', header: 'X-Client' };
    await proxy.service('limited', {
      rate_limits: [
        { prefix: '/v1/', key, rps: 1 / 60, burst: 3 },
        { prefix: '/v1/free', rps: 100_000, burst: 100_000 },
      ],
    });
    const answers = async (path: string, count: number, client: string | null) => {
      const headers = client === null ? {} : { 'X-Client': client };
      const all = Array.from({ length: count }, () => proxy.get(`limited${path}`, { headers }));
      const statuses = (await Promise.all(all)).map(({ status }) => status);
      return [200, 429].map((wanted) => statuses.filter((status) => status === wanted).length);
    };
    expect(await answers('/v1/x', 20, 'a')).toEqual([4, 16]);
    expect(await answers('/x/../v1//x', 5, 'b')).toEqual([4, 1]);
    expect(await answers('/v1/x', 9, null)).toEqual([9, 0]);
    expect(await answers('/v1/free/x', 9, 'a')).toEqual([9, 0]);
    expect(await answers('/v2', 9, 'a')).toEqual([9, 0]);
    const refused = await proxy.get('limited/v1/x', { headers: { 'X-Client': 'a' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(await refused.json()).toMatchObject({ code: 'rate_limited' });
  });

  it('count the addresses of one IPv6 network together', async () => {
    const limits = [{ prefix: '/', key: { type: 'ip_address' }, rps: 1, burst: 0 }];
    const take = (remoteAddress: string) => {
      const request = { rawHeaders: [], socket: { remoteAddress } };
      const route = { runId: 'run', rateLimits: limits };
      return proxy.server.services.limitRate(route as never, '/', request as never);
    };
    await take('2001:db8::1');
    await expect(take('2001:db8::2')).rejects.toThrow('Too many requests');
    await take('2001:db8:0:1::1');
    await take('::ffff:192.0.2.1');
    await expect(take('192.0.2.1')).rejects.toThrow('Too many requests');
  });

  it('count no requests of callers who may not use the service', async () => {
    await proxy.service('private', { rate_limits: [{ rps: 1 / 60 }] });
    const headers = { authorization: 'Bearer wrong' };
    for (let i = 0; i < 3; i++) {
      expect((await proxy.get('private/x', { headers })).status).toBe(403);
    }
    const statuses = [await proxy.get('private/x'), await proxy.get('private/x')];
    expect(statuses.map(({ status }) => status)).toEqual([200, 429]);
    const socket = proxy.socket('main/private/ws');
    const code = await new Promise((resolve) => {
      socket.on('unexpected-response', (_request, { statusCode }) => resolve(statusCode));
      socket.on('error', () => {});
    });
    expect(code).toBe(429);
    socket.terminate();
  });
});

describe('a service with a model', () => {
  const preflight = {
    ...{ authorization: '', Origin: 'http://page' },
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'authorization',
  };

  it('answers browsers of other origins, without credentials', async () => {
    await proxy.service('model', { model: 'parrot', probes: [] });
    const asked = await proxy.get('model/v1/x', { method: 'OPTIONS', headers: preflight });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe('*');
    expect(asked.headers.get('access-control-allow-headers')).toBe('Authorization, *');
    expect(asked.headers.get('access-control-allow-credentials')).toBeNull();
    const allowed = (answer: Response) => answer.headers.get('access-control-allow-origin');
    expect(allowed(await proxy.get('model/x'))).toBe('*');
    const refused = await proxy.get('model/x', {
      headers: { authorization: '', origin: 'https://app.example' },
    });
    expect([refused.status, allowed(refused)]).toEqual([403, '*']);
    // Without an origin it is a request for the app.
    const plain = await proxy.get('model/echo', { method: 'OPTIONS' });
    expect((await json(plain)).method).toBe('OPTIONS');
  });

  it('is the only kind that does', async () => {
    const asked = await proxy.get('web/x', { method: 'OPTIONS', headers: preflight });
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    expect((await proxy.get('web/x')).headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('a request to a service', () => {
  it('may have headers of 64 KiB, and so may the answer', async () => {
    const large = 'x'.repeat(64 * 1024);
    const seen = await json(await proxy.get('web/echo', { headers: { 'X-Large': large } }));
    expect(seen.headers).toContain(large);
    const tooLarge = await proxy.get('web/echo', { headers: { 'X-Large': large + large } });
    expect(tooLarge.status).toBe(431);
  });

  it('has an id, which is in the answer too', async () => {
    const seen = async (headers: Record<string, string>) => {
      const answer = await proxy.get('web/echo', { headers });
      const { headers: raw } = (await answer.json()) as { headers: string[] };
      const ids = raw.filter((_, i) => raw[i - 1]?.toLowerCase() === 'x-request-id');
      expect(ids).toEqual([answer.headers.get('x-request-id')]);
      return ids[0];
    };
    expect(await seen({ 'X-Request-Id': 'mine' })).toBe('mine');
    expect(await seen({ 'X-Request-Id': 'not printable {}' })).toMatch(/^[0-9a-f-]{36}$/);
    expect((await proxy.get('nosuch/x')).headers.get('x-request-id')).toBeTruthy();
  });

  it('is refused if its body is larger than the setting allows', async () => {
    const limit = 16 * 1024 * 1024;
    const refused = { status: 413, code: 'body_too_large' };
    const send = async (path: string, size: number, isChunked: boolean) => {
      const body = Buffer.alloc(size);
      const stream = new Blob([body]).stream();
      const answer = await proxy.get(path, {
        ...{ method: 'POST', body: isChunked ? stream : body, duplex: 'half' },
      } as RequestInit);
      return { status: answer.status, code: (await json(answer).catch(() => null))?.code };
    };
    expect(await send('web/upload', limit + 1, false)).toEqual(refused);
    expect(await send('web/upload', limit + 1, true)).toEqual(refused);
    expect(await send('web/upload', limit, true)).toMatchObject({ status: 200 });
    expect((await proxy.get('web/x')).status).toBe(200);
  });
});
