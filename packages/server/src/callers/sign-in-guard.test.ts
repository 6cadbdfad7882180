import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ProxiedServices } from '../http/testing/proxied-services.ts';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { callerAddress } from './caller-address.ts';
import { SignInGuard, TooManySignIns } from './sign-in-guard.ts';

const unknown = async () => null;
const known = async () => 'somebody';
const request = (remoteAddress: string, headers = {}) =>
  ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage;

describe('the guard of sign-ins', () => {
  let now: number;
  let guard: SignInGuard;
  const options = (trusted: readonly string[] = []) => ({
    limit: 3,
    addressOf: callerAddress(trusted),
    now: () => now,
  });
  beforeEach(() => {
    now = 1_000_000;
    guard = new SignInGuard(options());
  });
  const exhaust = async (from = request('192.0.2.1')) => {
    for (let i = 0; i < 3; i++) await guard.from(from)(`guess-${i}`, unknown);
  };
  /** Whether an unknown token is refused during the look-up of another one. */
  const isOver = async (from: IncomingMessage, of = guard) => {
    const wait = Promise.withResolvers<null>();
    const first = of.from(from)('first', () => wait.promise);
    const second = of
      .from(from)('second', unknown)
      .catch((error) => error);
    wait.resolve(null);
    await first;
    return (await second) instanceof TooManySignIns;
  };

  it('looks up one unknown token of an address at a time above the limit', async () => {
    expect(await isOver(request('192.0.2.9'))).toBe(false);
    await exhaust();
    expect(await isOver(request('192.0.2.1'))).toBe(true);
    expect(await guard.from(request('192.0.2.1'))('new', known)).toBe('somebody');
    expect(await isOver(request('192.0.2.2'))).toBe(false);
  });

  it('accepts a token that was valid before from every address, until it is unknown', async () => {
    const from = request('192.0.2.1');
    await guard.from(request('192.0.2.3'))('right', known);
    await exhaust();
    const wait = Promise.withResolvers<null>();
    const other = guard.from(from)('other', () => wait.promise);
    expect(await guard.from(from)('right', known)).toBe('somebody');
    expect(await guard.from(from)('right', unknown)).toBeNull();
    await expect(guard.from(from)('right', known)).rejects.toThrow(TooManySignIns);
    wait.resolve(null);
    await other;
  });

  it('counts for a minute', async () => {
    await exhaust();
    now += 60_000;
    expect(await isOver(request('192.0.2.1'))).toBe(false);
  });

  it('counts tokens during their look-up, so that no burst passes below the limit', async () => {
    const wait = Promise.withResolvers<null>();
    const all = Array.from({ length: 10 }, (_, i) =>
      guard.from(request('192.0.2.1'))(`guess-${i}`, () => wait.promise),
    );
    wait.resolve(null);
    const results = await Promise.allSettled(all);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(7);
  });

  it('counts a new token once, however many requests start with it', async () => {
    const all = Array.from({ length: 50 }, () => guard.from(request('192.0.2.1'))('new', known));
    expect(await Promise.all(all)).toEqual(Array(50).fill('somebody'));
  });

  it('does not count failed look-ups', async () => {
    const broken = () => Promise.reject(new Error('no database'));
    for (let i = 0; i < 9; i++) {
      await expect(guard.from(request('192.0.2.1'))(`t${i}`, broken)).rejects.toThrow('database');
    }
    expect(await isOver(request('192.0.2.1'))).toBe(false);
  });

  it.each([
    ['2001:db8:1:2::1', '2001:0DB8:0001:0002:ffff::9', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['2001:db8::1', '2001:db8:0:0:1::', true],
    ['::1', '::2', true],
    ['::ffff:192.0.2.7', '192.0.2.7', true],
    ['::ffff:c000:207', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
  ])('takes %s and %s for one network: %s', async (one, other, expected) => {
    await exhaust(request(one));
    expect(await isOver(request(other))).toBe(expected);
  });

  it.each([
    ['per caller behind a proxy that is trusted', ['10.0.0.0/8'], '203.0.113.2', false],
    ['per proxy where it is not', [], '203.0.113.2', true],
    ['per proxy where it names no address', ['10.0.0.0/8'], 'x'.repeat(1000), true],
  ])('counts %s', async (_what, trusted, named, expected) => {
    guard = new SignInGuard(options(trusted));
    const through = (address: string) =>
      request('10.0.0.1', { 'x-forwarded-for': `1.1.1.1, ${address}` });
    await exhaust(through(expected ? named : '203.0.113.1'));
    expect(await isOver(through(named), guard)).toBe(expected);
  });

  it('has no limit if none is configured', async () => {
    guard = new SignInGuard({ ...options(), limit: 0 });
    await exhaust();
    expect(await isOver(request('192.0.2.1'))).toBe(false);
  });
});

describe('an address with too many wrong tokens', () => {
  let server: TestServer;
  const guess = (path: string, token = `guess-${Math.random()}`, method = 'POST') =>
    server.call(path, {}, { token, method });
  const burst = async (path: string, method?: string) =>
    (await Promise.all(Array.from({ length: 5 }, () => guess(path, undefined, method)))).map(
      ({ status }) => status,
    );
  beforeAll(async () => {
    server = await startTestServer({
      failedLoginsPerMinute: 3,
      sshProxyToken: 'proxy-token',
      metricsToken: 'metrics-token',
    });
    await server.call('/api/users/get_my_user');
    await burst('/api/users/get_my_user');
  });
  afterAll(() => server.close());

  it.each([
    ['/api/users/get_my_user', 'POST', 403],
    ['/api/sshproxy/get_upstream', 'POST', 403],
    ['/proxy/models/main/models', 'GET', 403],
    ['/metrics', 'GET', 403],
  ])('has one look-up at a time at %s', async (path, method, refused) => {
    const statuses = await burst(path, method);
    expect(statuses.sort()).toEqual([refused, 429, 429, 429, 429]);
  });

  it('is informed when to try again', async () => {
    const answers = await Promise.all([1, 2].map(() => guess('/api/users/get_my_user')));
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers['retry-after']).toBe('1');
    expect(refused?.body.detail).toContain('wrong tokens');
  });

  it.each([
    ['/healthcheck', 'GET', 200],
    ['/api/server/get_info', 'POST', 200],
    ['/openapi.json', 'GET', 200],
    ['/api/nosuch', 'POST', 405],
  ])('can still send requests that need no token: %s', async (path, method, status) => {
    expect(await burst(path, method)).toEqual(Array(5).fill(status));
  });

  it('does not lock out valid tokens, nor requests without one', async () => {
    const mine = Array.from({ length: 5 }, () => server.call('/api/users/get_my_user'));
    const [wrong] = await Promise.all([burst('/api/users/get_my_user'), ...mine]);
    expect((await Promise.all(mine)).map(({ status }) => status)).toEqual(Array(5).fill(200));
    expect(wrong).toContain(429);
    const nobody = await server.call('/api/users/get_my_user', undefined, { token: null });
    expect(nobody.status).toBe(401);
  });
});

describe('WebSockets of services', () => {
  let proxy: ProxiedServices;
  beforeAll(async () => {
    proxy = await ProxiedServices.start({ failedLoginsPerMinute: 3 });
  });
  afterAll(() => proxy.close());

  it('are counted and refused like requests', async () => {
    const status = (token: string) =>
      new Promise<number>((resolve) => {
        const socket = proxy.socket('main/web/ws', { authorization: `Bearer ${token}` });
        socket.on('unexpected-response', (_request, response) => {
          resolve(response.statusCode ?? 0);
          socket.terminate();
        });
        // The handshake was refused, which is expected.
        socket.on('error', () => {});
      });
    for (let i = 0; i < 3; i++) expect(await status(`guess-${i}`)).toBe(403);
    const held = holdLookUps(proxy.server);
    const first = status('first');
    await held.begun;
    expect(await status('second')).toBe(429);
    held.release();
    expect(await first).toBe(403);
    expect((await proxy.get('web/x')).status).toBe(200);
  });
});

/** Tokens of users are looked up only when the test allows it. */
function holdLookUps({ store }: TestServer) {
  const users = store.users as { byToken: TestServer['store']['users']['byToken'] };
  const { byToken } = users;
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  users.byToken = async (token) => {
    begun.resolve();
    await gate.promise;
    return await byToken(token);
  };
  const release = () => {
    users.byToken = byToken;
    gate.resolve();
  };
  return { begun: begun.promise, release };
}
