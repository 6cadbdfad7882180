import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasPebble } from '@dstack/testkit/certificate-authority';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { customHostName, failingHook } from './gateway-names.ts';
import { GatewayWorld } from './gateway-world.ts';
import { LIMITS, startLimitingNginx } from './limiting-nginx.ts';
import { serviceFigures } from './service-figures.ts';

const hasNginx = existsSync('/usr/sbin/nginx');

const PATIENCE = { timeout: 240_000 };

describe.skipIf(!hasNginx)('a gateway on the machine of the server', PATIENCE, () => {
  const world = new GatewayWorld();
  beforeAll(() => world.start());
  afterAll(() => world.stop());

  it('serves services at host names of their own, for members only', async () => {
    expect(await world.applyGateway('null')).toContain('running');
    await world.applyService('web', `${LIMITS}model: parrot\n`);
    expect(await world.urlOf('web')).toBe(`http://web.apps.test:${world.ports.http}`);
    await world.until('web.apps.test', 200);
    const headers = {
      ...{ 'x-forwarded-for': '6.6.6.6', 'x-dstack-user': 'root' },
      'x-dstack-gateway-address': '7.7.7.7',
    };
    const { body } = await world.ask('web.apps.test', '/a%2Fb?c', { headers });
    const seen = JSON.parse(body) as { url: string; headers: Record<string, string> };
    expect(seen.url).toBe('/a%2Fb?c');
    expect(seen.headers).toMatchObject({
      ...{ 'x-forwarded-for': '127.0.0.1', 'x-dstack-user': 'admin', host: 'web.apps.test' },
    });
    expect(Object.keys(seen.headers).filter((name) => /authorization|gateway/.test(name))).toEqual(
      [],
    );
    expect((await world.ask('web.apps.test', '/', { authorization: '' })).status).toBe(403);
    expect((await world.ask('web.apps.test', '/', { authorization: 'Bearer no' })).status).toBe(
      403,
    );
    for (const host of ['other.test', '../etc', 'web.apps.test;x', '127.0.0.1', '$host']) {
      expect([400, 404]).toContain((await world.ask(host, '/')).status);
    }
  });

  it('refuses as many requests as nginx with the same limits', async () => {
    const plain = await startLimitingNginx();
    const statuses = async (count: number, one: () => Promise<number>) =>
      (await Promise.all(Array.from({ length: count }, one))).toSorted();
    for (const path of ['/limited/x', '/limited/more/x', '/limitedly', '/x']) {
      const own = async () => (await world.ask('web.apps.test', path)).status;
      const theirs = async () => (await fetch(new URL(path, plain))).status;
      const counts = [await statuses(12, own), await statuses(12, theirs)];
      expect(counts[0]).toEqual(counts[1]);
    }
    expect((await world.ask('web.apps.test', '/limited/x')).headers['retry-after']).toBeDefined();
    // The server reports what the gateway has answered.
    await vi.waitFor(async () => {
      const { answered } = await serviceFigures(world.home, 'web');
      expect(answered['2xx']).toBeGreaterThan(0);
      expect(answered['4xx']).toBeGreaterThan(0);
    }, 10_000);
  });

  it('answers while the server is down, and while its own processes are killed', async () => {
    const ended = world.load('web.apps.test');
    const chat = (stream: boolean) => {
      const messages = [{ role: 'user', content: 'a b c' }];
      const body = JSON.stringify({ model: 'parrot', stream, messages });
      return world.ask('gateway.apps.test', '/v1/chat/completions', { body });
    };
    expect((await chat(false)).status).toBe(200);
    await world.home.stopServer();
    const known = `Bearer ${world.home.token()}`;
    expect((await world.ask('web.apps.test', '/', { authorization: known })).status).toBe(200);
    expect((await world.ask('web.apps.test', '/', { authorization: 'Bearer new' })).status).toBe(
      503,
    );
    expect((await chat(false)).body).toContain('"content":"A B C"');
    const streamed = (await chat(true)).body;
    expect(streamed).toContain('[DONE]');
    const before = world.program();
    process.kill(before.pid, 'SIGKILL');
    await vi.waitFor(() => expect(world.program().pid).not.toBe(before.pid), { timeout: 90_000 });
    await world.home.startServer();
    await world.until('web.apps.test', 200);
    await vi.waitFor(
      async () => {
        const { usage } = JSON.parse(await world.home.ok('usage', '--json'));
        // The stream reports no tokens: its events are counted.
        const tokens = { prompt_tokens: 2, completion_tokens: 13 };
        expect(usage).toMatchObject([{ model: 'parrot', requests: 3, estimated: 1, ...tokens }]);
      },
      { timeout: 20_000, interval: 100 },
    );
    // The workers of nginx go on until another master process has taken the world.ports.
    process.kill(before.nginx, 'SIGKILL');
    await vi.waitFor(() => expect(world.program().nginx).not.toBe(before.nginx), {
      timeout: 90_000,
    });
    await world.until('web.apps.test', 200);
    const { answered, failed } = await ended();
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  it.skipIf(!hasPebble)(
    'requests certificates, and reports the DNS record that is missing',
    async () => {
      await world.home.ok('stop', 'web', '-y');
      await world.home.ok('gateway', 'delete', 'edge', '-y', '--force');
      const isKnown = async () => (await world.home.dstack(['gateway', 'get', 'edge'])).code === 0;
      await vi.waitFor(async () => expect(await isKnown()).toBe(false), { timeout: 90_000 });
      await world.applyGateway('{type: lets-encrypt}');
      await world.authority?.setAddress('');
      await world.applyService('safe');
      expect(await world.urlOf('safe')).toBe(`https://safe.apps.test:${world.ports.https}`);
      const missing = 'Create this record: *.apps.test A 127.0.0.1';
      await vi.waitFor(
        async () => expect((await world.show()).certificates.at(-1)?.message).toContain(missing),
        { timeout: 90_000, interval: 200 },
      );
      // One of the two addresses of this name leads elsewhere.
      await world.authority?.setSecondAddress('gateway.apps.test', '::2');
      await world.authority?.setAddress('127.0.0.1');
      const failure = /::2.*Port 80 of every address that DNS has for gateway\.apps\.test/;
      await world.untilCertificates([
        { domain: 'gateway.apps.test', state: 'failed', message: expect.stringMatching(failure) },
        { domain: 'safe.apps.test', state: 'valid', message: null },
      ]);
      await world.authority?.setSecondAddress('gateway.apps.test', null);
      expect(Date.parse((await world.show()).certificates[0]?.renews_at ?? '')).toBeGreaterThan(
        Date.now(),
      );
      const ca = (await world.authority?.roots()) ?? '';
      await world.until('safe.apps.test', 200, { ca });
      const ended = world.load('safe.apps.test', { ca });
      const { serial } = await world.ask('safe.apps.test', '/', { ca });
      await vi.waitFor(
        async () =>
          expect((await world.ask('safe.apps.test', '/', { ca })).serial).not.toBe(serial),
        { timeout: 90_000, interval: 200 },
      );
      await world.untilCertificates([
        { domain: 'gateway.apps.test', state: 'valid', message: null },
        { domain: 'safe.apps.test', state: 'valid', message: null },
      ]);
      const { answered, failed } = await ended();
      expect(failed).toEqual([]);
      expect(answered).toBeGreaterThan(0);
      const moved = await world.ask('safe.apps.test', '/x?y');
      expect(moved).toMatchObject({ status: 301 });
      expect(moved.headers.location).toBe(`https://safe.apps.test:${world.ports.https}/x?y`);
      const mixed = { ca, name: 'safe.apps.test' };
      expect((await world.ask('gateway.apps.test', '/v1/models', mixed)).status).toBe(421);
      expect((await world.ask('gateway.apps.test', '/v1/models', { ca })).body).toContain('"list"');
      await expect(world.ask('none.apps.test', '/', { ca })).rejects.toThrow();
      await customHostName(world, ca);
      const { runtime } = world.program();
      const key = execFileSync('stat', ['-c', '%a', `${runtime}/certificates/safe.apps.test.pem`]);
      expect(['600', '640']).toContain(key.toString().trim());
    },
  );

  it.skipIf(!hasPebble)(
    'proves its names by connections of their own, and by records that the server sets',
    async () => {
      const ca = (await world.authority?.roots()) ?? '';
      const restart = async (env: Readonly<Record<string, string>>) => {
        Object.assign(world.home.env, env);
        await world.home.stopServer();
        await world.home.startServer();
      };
      const ended = world.load('safe.apps.test', { ca });
      await restart({ DSTACK_ACME_CHALLENGE: 'tls-alpn-01' });
      await world.applyService('second');
      await world.until('second.apps.test', 200, { ca });
      const seen = JSON.parse((await world.ask('second.apps.test', '/', { ca })).body);
      expect(seen.headers['x-forwarded-for']).toBe('127.0.0.1');
      const own = await world.ask('second.apps.test', '/', { ca });
      expect(own.serial).not.toBe((await world.ask('safe.apps.test', '/', { ca })).serial);
      const hook = world.authority?.dnsHook(join(world.home.home, 'dns-hook')) ?? '';
      await world.authority?.setAddress('');
      await world.home.stopServer();
      world.wasThereBefore();
      await restart({ DSTACK_ACME_CHALLENGE: 'dns-01', DSTACK_ACME_DNS_HOOK: hook });
      // One certificate serves all names, also those that no address leads to.
      await vi.waitFor(
        async () => {
          const serials = ['safe', 'second'].map((run) =>
            world.ask(`${run}.apps.test`, '/', { ca }),
          );
          const [safe, second] = await Promise.all(serials);
          expect(safe?.serial).toBe(second?.serial);
        },
        { timeout: 60_000, interval: 200 },
      );
      await world.authority?.setAddress('127.0.0.1');
      expect((await ended()).failed).toEqual([]);
      expect(await world.home.ok('event', '--within-gateway', 'edge')).toMatch(
        /certificate for apps\.test is being renewed, but the next version of the server refuses it\. .*_dstack\.apps\.test TXT/,
      );
      await restart({ DSTACK_GATEWAY_DOMAINS: 'main=apps.test' });
      await failingHook(world, hook, ca);
      const endedLater = world.load('safe.apps.test', { ca });
      await world.home.ok('stop', 'second', '-y');
      await restart({ DSTACK_ACME_CHALLENGE: 'http-01' });
      await world.until('safe.apps.test', 200, { ca });
      expect((await endedLater()).failed).toEqual([]);
    },
    // Two renewals of a certificate that is valid for minutes.
    400_000,
  );

  it.skipIf(!hasPebble)(
    'serves a certificate that a person has set, until it is deleted',
    async () => {
      const own = world.authority?.sign('*.apps.test') ?? { ca: '', certificate: '', key: '' };
      const set = ['gateway', 'certificate', 'set', 'edge', '--cert', own.certificate, '--key'];
      const wrong = await world.home.dstack([...set, own.ca]);
      expect([wrong.code, wrong.stderr]).toEqual([
        1,
        expect.stringMatching(/no private key in PEM/),
      ]);
      expect(await world.home.ok(...set, own.key)).toMatch(/ edge .* running /);
      const ca = readFileSync(own.ca, 'utf8');
      await world.until('safe.apps.test', 200, { ca });
      await world.untilCertificates([
        { domain: 'gateway.apps.test', source: 'file', state: 'valid', renews_at: null },
        { domain: 'safe.apps.test', source: 'file', state: 'valid', renews_at: null },
      ]);
      expect(await world.home.ok('gateway', 'get', 'edge')).toMatch(
        / safe\.apps\.test +file +valid +20/,
      );
      await world.home.ok('gateway', 'certificate', 'delete', 'edge', '*.apps.test', '-y');
      await world.until('safe.apps.test', 200, { ca: (await world.authority?.roots()) ?? '' });
    },
  );

  it('leaves nothing behind when it is deleted', async () => {
    const { runtime, pid, nginx } = world.program();
    const refused = await world.home.dstack(['gateway', 'delete', 'edge', '-y']);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/Gateway edge is used by .*safe.*--force/),
    ]);
    await world.home.ok('gateway', 'delete', 'edge', '-y', '--force');
    await vi.waitFor(() => expect(existsSync(runtime)).toBe(false), { timeout: 90_000 });
    for (const id of [pid, nginx]) {
      await vi.waitFor(() => expect(existsSync(`/proc/${id}`)).toBe(false), { timeout: 90_000 });
    }
  });
});
