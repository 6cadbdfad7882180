import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import type { Installation } from '@dstack/testkit';
import { hasPebble, startAuthority } from '@dstack/testkit/certificate-authority';
import { jobProgram } from '@dstack/testkit/job-programs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { applyFleet, configuration, newInstallation } from './installation.ts';
import { LIMITS, startLimitingNginx } from './limiting-nginx.ts';
import { requestLoad } from './request-load.ts';
import { serviceFigures } from './service-figures.ts';
import { freePort } from './serving.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));
const hasNginx = existsSync('/usr/sbin/nginx');

interface Shown {
  readonly status: string;
  readonly certificates: readonly {
    readonly domain: string;
    readonly state: string;
    readonly message: string | null;
    readonly renews_at: string | null;
  }[];
}

interface Answer {
  readonly status: number;
  /** The serial number of the server's certificate; empty without TLS. */
  readonly serial: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Exit code of commands about something that does not exist. */
const NOT_FOUND = 3;

const PATIENCE = { timeout: 240_000 };

describe.skipIf(!hasNginx)('a gateway on the machine of the server', PATIENCE, () => {
  let home: Installation;
  let ports: { http: number; https: number; acme: number; dns: number };
  let authority: Awaited<ReturnType<typeof startAuthority>> | null = null;
  beforeAll(async () => {
    ports = {
      ...{ http: await freePort(), https: await freePort() },
      ...{ acme: await freePort(), dns: await freePort() },
    };
    if (hasPebble) authority = await startAuthority(ports);
    home = newInstallation({
      DSTACK_GATEWAY_HTTP_PORT: String(ports.http),
      DSTACK_GATEWAY_HTTPS_PORT: String(ports.https),
      DSTACK_GATEWAY_DNS: `127.0.0.1:${ports.dns}`,
      DSTACK_ACME_SERVER: `https://localhost:${ports.acme}/dir`,
      ...(authority && { DSTACK_ACME_CA_FILE: authority.ca, ...authority.account }),
    });
    await home.startServer();
    await applyFleet(home, '0..4');
  });
  afterAll(async () => {
    const end = () => home.dstack(['gateway', 'delete', 'edge', '-y', '--force']);
    // After a failed test the server may be stopped; its gateway would go on for ever.
    if (home && ![0, NOT_FOUND].includes((await end()).code ?? 0)) {
      await home.stopServer();
      await home.startServer();
      await end();
    }
    await home?.dispose();
    await authority?.stop();
  });

  async function applyGateway(certificate: string): Promise<string> {
    const yaml = `type: gateway\nname: edge\nbackend: remote\nregion: local\ndomain: '*.apps.test'\ncertificate: ${certificate}\n`;
    return await home.ok('apply', '-f', configuration(home, 'edge.dstack.yml', yaml), '-y');
  }

  async function applyService(name: string, more = ''): Promise<string> {
    const yaml = serviceYaml(name, more);
    return await home.ok('apply', '-f', configuration(home, `${name}.yml`, yaml), '-y', '-d');
  }

  function serviceYaml(name: string, more: string): string {
    const command = `exec ${app}`;
    return `type: service\nname: ${name}\nport: 8000\nhttps: auto\ncommands: ['${command}']\nresources: {gpu: 0}\n${more}`;
  }

  /** Also the service's, once DNS shows that it belongs to the project. */
  async function customHostName(ca: string): Promise<void> {
    const own = 'chat.customer.test';
    const yaml = serviceYaml('safe', `hosts: [${own}]\n`);
    const args = ['apply', '-f', configuration(home, 'safe.yml', yaml), '-y', '-d'];
    const refused = await home.dstack(args);
    const [, name = '', value = ''] =
      /Create this record, then try again: (\S+) TXT "(\S+)"/.exec(refused.stderr) ?? [];
    expect([refused.code, name]).toEqual([1, `_dstack.${own}`]);
    await authority?.setTxt(name, value);
    await home.ok(...args);
    await until(own, 200, { ca });
    expect((await ask(own, '/')).headers.location).toBe(`https://${own}:${ports.https}/`);
    expect((await ask('safe.apps.test', '/', { ca })).status).toBe(200);
    const { serial } = await ask(own, '/', { ca });
    expect(serial).not.toBe((await ask('safe.apps.test', '/', { ca })).serial);
    await sharedName(own, { ca, serial });
    await applyService('safe');
    await vi.waitFor(async () => await expect(ask(own, '/', { ca })).rejects.toThrow(), {
      ...{ timeout: 90_000, interval: 200 },
    });
  }

  /** Another service has a path of it, with the certificate and the proof of the name. */
  async function sharedName(own: string, { ca, serial }: { ca: string; serial: string }) {
    const hosts = `hosts: [${own}/deep/embed, ${own}/other]\n`;
    await applyService('embed', `${hosts}auth: false\n`);
    const open = { ca, authorization: '' };
    await untilAnswer(own, '/deep/embed/', open);
    const seen = async (path: string) => {
      const answer = await ask(own, path, open);
      expect([answer.status, answer.serial]).toEqual([200, serial]);
      const { url, headers } = JSON.parse(answer.body) as Described;
      return [url, headers['x-forwarded-prefix']];
    };
    expect(await seen('/deep/embed/a%2Fb//c?d=/../')).toEqual(['/a%2Fb//c?d=/../', '/deep/embed']);
    expect(await seen('/de%65p/embed/deep/embed')).toEqual(['/deep/embed', '/deep/embed']);
    expect(await ask(own, '/other?x', open)).toMatchObject({
      ...{ status: 308, headers: { location: '/other/?x' } },
    });
    // These lead to the other service, which needs a token.
    for (const path of ['/', '/deep', '/deep/embeds', '/deep/embed%2fx', '//other/', '/Other/']) {
      expect((await ask(own, path, open)).status).toBe(403);
    }
    for (const path of ['/deep/embed/../x', '/other/%2e%2E/x', '/x/./other']) {
      expect((await ask(own, path, open)).status).toBe(400);
    }
    // A copy reaches the other service, whose next probes then fail; the client gets one answer.
    await applyService('embed', `${hosts}auth: false\nmirror: {service: safe}\n`);
    await vi.waitFor(
      async () => {
        expect((await ask(own, '/other/sick', open)).status).toBe(200);
        expect((await ask(own, '/well', { ca })).status).toBe(500);
      },
      { timeout: 20_000, interval: 100 },
    );
    await applyService('embed', `${hosts}auth: false\nstrip_prefix: false\n`);
    await vi.waitFor(async () => expect(await seen('/other?x')).toEqual(['/other?x', undefined]), {
      ...{ timeout: 20_000, interval: 100 },
    });
    await home.ok('stop', 'embed', '-y');
    await vi.waitFor(async () => expect((await ask(own, '/other/', open)).status).toBe(403), {
      ...{ timeout: 20_000, interval: 100 },
    });
  }

  /** One that refuses the record of the domain, so that its certificate is not renewed in time. */
  async function failingHook(hook: string, ca: string): Promise<void> {
    const refuses = `${hook}-refuses-_acme-challenge.apps.test`;
    writeFileSync(refuses, '');
    const why = /dns-hook add _acme-challenge\.apps\.test: exit code 3: no such zone$/;
    await untilCertificate({ domain: 'safe.apps.test', message: expect.stringMatching(why) });
    const { serial } = await ask('safe.apps.test', '/', { ca });
    // Another name is not held up.
    const own = 'late.customer.test';
    const yaml = serviceYaml('second', `hosts: [${own}]\n`);
    const args = ['apply', '-f', configuration(home, 'second.yml', yaml), '-y', '-d'];
    const [, name = '', value = ''] =
      /try again: (\S+) TXT "(\S+)"/.exec((await home.dstack(args)).stderr) ?? [];
    await authority?.setTxt(name, value);
    await home.ok(...args);
    await until(own, 200, { ca });
    const events = () => home.ok('event', '--within-gateway', 'edge');
    const ends =
      /certificate for .*safe\.apps\.test.* ends at .*has not been renewed: .*no such zone/;
    await vi.waitFor(async () => expect(await events()).toMatch(ends), {
      ...{ timeout: 90_000, interval: 500 },
    });
    rmSync(refuses);
    await vi.waitFor(
      async () =>
        expect(await events()).toMatch(/certificate for .*safe\.apps\.test.* renewed, and/),
      { timeout: 90_000, interval: 500 },
    );
    expect((await ask('safe.apps.test', '/', { ca })).serial).not.toBe(serial);
  }

  /** The previous version of the server made the gateway: what the migration to this one writes down. */
  function wasThereBefore(): void {
    const database = new DatabaseSync(join(home.serverDir, 'data', 'dstack.db'));
    database.exec(
      `insert or ignore into gateway_unproven_domains (gateway_id, domain)
       select id, wildcard_domain from gateways where name = 'edge' and not deleted`,
    );
    database.close();
  }

  const urlOf = async (run_name: string) =>
    (await home.api<{ service: { url: string } }>('/api/project/main/runs/get', { run_name }))
      .service.url;

  const untilCertificates = (states: readonly object[]) =>
    vi.waitFor(async () => expect((await show()).certificates).toMatchObject(states), {
      ...{ timeout: 90_000, interval: 200 },
    });

  const untilCertificate = (state: { readonly domain: string; readonly message: unknown }) =>
    vi.waitFor(
      async () => {
        const { certificates } = await show();
        expect(certificates.find(({ domain }) => domain === state.domain)).toMatchObject(state);
      },
      { timeout: 150_000, interval: 500 },
    );

  const show = () => home.api<Shown>('/api/project/main/gateways/get', { name: 'edge' });

  /** `host`: of the service; a connection to the gateway is opened for it. */
  function ask(host: string, path: string, more: Partial<Ask> = {}): Promise<Answer> {
    const { ca, headers = {}, authorization = `Bearer ${home.token()}`, body } = more;
    const options = {
      ...{ host: '127.0.0.1', port: ca ? ports.https : ports.http, path, agent: false as const },
      method: body === undefined ? 'GET' : 'POST',
      headers: { host, ...(authorization !== '' && { authorization }), ...headers },
      ...(ca && { ca, servername: more.name ?? host }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = (ca ? secureRequest : request)(options, (response) => {
        const { statusCode: status = 0, headers, socket } = response;
        const serial = socket instanceof TLSSocket ? socket.getPeerCertificate().serialNumber : '';
        text(response).then((body) => resolve({ status, headers, serial, body }), reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  const load = (host: string, more: Partial<Ask> = {}) =>
    requestLoad(async () => {
      const answer = await ask(host, '/kilobyte', more);
      return answer.status === 200 ? null : answer;
    });

  const until = (host: string, status: number, more: Partial<Ask> = {}) =>
    untilAnswer(host, '/', more, status);

  const untilAnswer = (host: string, path: string, more: Partial<Ask>, status = 200) =>
    vi.waitFor(async () => expect((await ask(host, path, more)).status).toBe(status), {
      ...{ timeout: 40_000, interval: 100 },
    });

  const program = () => {
    const [log = ''] = logs();
    const state = log.slice(0, -'/gateway.log'.length).split('/').at(-1) ?? '';
    const [runtime = ''] = execFileSync('sh', [
      '-c',
      `ls -d /run/dstack-gw-${state.slice(0, 8)} ${tmpdir()}/*-gw-${state.slice(0, 8)} 2>/dev/null || true`,
    ])
      .toString()
      .trim()
      .split('\n');
    return {
      runtime,
      pid: (JSON.parse(readFileSync(`${runtime}/program.json`, 'utf8')) as { pid: number }).pid,
      nginx: Number(readFileSync(`${runtime}/nginx.pid`, 'utf8')),
    };
  };
  const logs = () =>
    execFileSync('sh', ['-c', `ls ${home.serverDir}/agent/gateways/*/gateway.log`])
      .toString()
      .trim()
      .split('\n');

  it('serves services at host names of their own, for members only', async () => {
    expect(await applyGateway('null')).toContain('running');
    await applyService('web', `${LIMITS}model: parrot\n`);
    expect(await urlOf('web')).toBe(`http://web.apps.test:${ports.http}`);
    await until('web.apps.test', 200);
    const headers = {
      ...{ 'x-forwarded-for': '6.6.6.6', 'x-dstack-user': 'root' },
      'x-dstack-gateway-address': '7.7.7.7',
    };
    const { body } = await ask('web.apps.test', '/a%2Fb?c', { headers });
    const seen = JSON.parse(body) as { url: string; headers: Record<string, string> };
    expect(seen.url).toBe('/a%2Fb?c');
    expect(seen.headers).toMatchObject({
      ...{ 'x-forwarded-for': '127.0.0.1', 'x-dstack-user': 'admin', host: 'web.apps.test' },
    });
    expect(Object.keys(seen.headers).filter((name) => /authorization|gateway/.test(name))).toEqual(
      [],
    );
    expect((await ask('web.apps.test', '/', { authorization: '' })).status).toBe(403);
    expect((await ask('web.apps.test', '/', { authorization: 'Bearer no' })).status).toBe(403);
    for (const host of ['other.test', '../etc', 'web.apps.test;x', '127.0.0.1', '$host']) {
      expect([400, 404]).toContain((await ask(host, '/')).status);
    }
  });

  it('refuses as many requests as nginx with the same limits', async () => {
    const plain = await startLimitingNginx();
    const statuses = async (count: number, one: () => Promise<number>) =>
      (await Promise.all(Array.from({ length: count }, one))).toSorted();
    for (const path of ['/limited/x', '/limited/more/x', '/limitedly', '/x']) {
      const own = async () => (await ask('web.apps.test', path)).status;
      const theirs = async () => (await fetch(new URL(path, plain))).status;
      const counts = [await statuses(12, own), await statuses(12, theirs)];
      expect(counts[0]).toEqual(counts[1]);
    }
    expect((await ask('web.apps.test', '/limited/x')).headers['retry-after']).toBeDefined();
    // The server reports what the gateway has answered.
    await vi.waitFor(async () => {
      const { answered } = await serviceFigures(home, 'web');
      expect(answered['2xx']).toBeGreaterThan(0);
      expect(answered['4xx']).toBeGreaterThan(0);
    }, 10_000);
  });

  it('answers while the server is down, and while its own processes are killed', async () => {
    const ended = load('web.apps.test');
    const chat = (stream: boolean) => {
      const messages = [{ role: 'user', content: 'a b c' }];
      const body = JSON.stringify({ model: 'parrot', stream, messages });
      return ask('gateway.apps.test', '/v1/chat/completions', { body });
    };
    expect((await chat(false)).status).toBe(200);
    await home.stopServer();
    const known = `Bearer ${home.token()}`;
    expect((await ask('web.apps.test', '/', { authorization: known })).status).toBe(200);
    expect((await ask('web.apps.test', '/', { authorization: 'Bearer new' })).status).toBe(503);
    expect((await chat(false)).body).toContain('"content":"A B C"');
    const streamed = (await chat(true)).body;
    expect(streamed).toContain('[DONE]');
    const before = program();
    process.kill(before.pid, 'SIGKILL');
    await vi.waitFor(() => expect(program().pid).not.toBe(before.pid), { timeout: 90_000 });
    await home.startServer();
    await until('web.apps.test', 200);
    await vi.waitFor(
      async () => {
        const { usage } = JSON.parse(await home.ok('usage', '--json'));
        // The stream reports no tokens: its events are counted.
        const tokens = { prompt_tokens: 2, completion_tokens: 13 };
        expect(usage).toMatchObject([{ model: 'parrot', requests: 3, estimated: 1, ...tokens }]);
      },
      { timeout: 20_000, interval: 100 },
    );
    // The workers of nginx go on until another master process has taken the ports.
    process.kill(before.nginx, 'SIGKILL');
    await vi.waitFor(() => expect(program().nginx).not.toBe(before.nginx), { timeout: 90_000 });
    await until('web.apps.test', 200);
    const { answered, failed } = await ended();
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  it.skipIf(!hasPebble)(
    'requests certificates, and reports the DNS record that is missing',
    async () => {
      await home.ok('stop', 'web', '-y');
      await home.ok('gateway', 'delete', 'edge', '-y', '--force');
      const isKnown = async () => (await home.dstack(['gateway', 'get', 'edge'])).code === 0;
      await vi.waitFor(async () => expect(await isKnown()).toBe(false), { timeout: 90_000 });
      await applyGateway('{type: lets-encrypt}');
      await authority?.setAddress('');
      await applyService('safe');
      expect(await urlOf('safe')).toBe(`https://safe.apps.test:${ports.https}`);
      const missing = 'Create this record: *.apps.test A 127.0.0.1';
      await vi.waitFor(
        async () => expect((await show()).certificates.at(-1)?.message).toContain(missing),
        { timeout: 90_000, interval: 200 },
      );
      // One of the two addresses of this name leads elsewhere.
      await authority?.setSecondAddress('gateway.apps.test', '::2');
      await authority?.setAddress('127.0.0.1');
      const failure = /::2.*Port 80 of every address that DNS has for gateway\.apps\.test/;
      await untilCertificates([
        { domain: 'gateway.apps.test', state: 'failed', message: expect.stringMatching(failure) },
        { domain: 'safe.apps.test', state: 'valid', message: null },
      ]);
      await authority?.setSecondAddress('gateway.apps.test', null);
      expect(Date.parse((await show()).certificates[0]?.renews_at ?? '')).toBeGreaterThan(
        Date.now(),
      );
      const ca = (await authority?.roots()) ?? '';
      await until('safe.apps.test', 200, { ca });
      const ended = load('safe.apps.test', { ca });
      const { serial } = await ask('safe.apps.test', '/', { ca });
      await vi.waitFor(
        async () => expect((await ask('safe.apps.test', '/', { ca })).serial).not.toBe(serial),
        { timeout: 90_000, interval: 200 },
      );
      await untilCertificates([
        { domain: 'gateway.apps.test', state: 'valid', message: null },
        { domain: 'safe.apps.test', state: 'valid', message: null },
      ]);
      const { answered, failed } = await ended();
      expect(failed).toEqual([]);
      expect(answered).toBeGreaterThan(0);
      const moved = await ask('safe.apps.test', '/x?y');
      expect(moved).toMatchObject({ status: 301 });
      expect(moved.headers.location).toBe(`https://safe.apps.test:${ports.https}/x?y`);
      const mixed = { ca, name: 'safe.apps.test' };
      expect((await ask('gateway.apps.test', '/v1/models', mixed)).status).toBe(421);
      expect((await ask('gateway.apps.test', '/v1/models', { ca })).body).toContain('"list"');
      await expect(ask('none.apps.test', '/', { ca })).rejects.toThrow();
      await customHostName(ca);
      const { runtime } = program();
      const key = execFileSync('stat', ['-c', '%a', `${runtime}/certificates/safe.apps.test.pem`]);
      expect(['600', '640']).toContain(key.toString().trim());
    },
  );

  it.skipIf(!hasPebble)(
    'proves its names by connections of their own, and by records that the server sets',
    async () => {
      const ca = (await authority?.roots()) ?? '';
      const restart = async (env: Readonly<Record<string, string>>) => {
        Object.assign(home.env, env);
        await home.stopServer();
        await home.startServer();
      };
      const ended = load('safe.apps.test', { ca });
      await restart({ DSTACK_ACME_CHALLENGE: 'tls-alpn-01' });
      await applyService('second');
      await until('second.apps.test', 200, { ca });
      const seen = JSON.parse((await ask('second.apps.test', '/', { ca })).body);
      expect(seen.headers['x-forwarded-for']).toBe('127.0.0.1');
      const own = await ask('second.apps.test', '/', { ca });
      expect(own.serial).not.toBe((await ask('safe.apps.test', '/', { ca })).serial);
      const hook = authority?.dnsHook(join(home.home, 'dns-hook')) ?? '';
      await authority?.setAddress('');
      await home.stopServer();
      wasThereBefore();
      await restart({ DSTACK_ACME_CHALLENGE: 'dns-01', DSTACK_ACME_DNS_HOOK: hook });
      // One certificate serves all names, also those that no address leads to.
      await vi.waitFor(
        async () => {
          const serials = ['safe', 'second'].map((run) => ask(`${run}.apps.test`, '/', { ca }));
          const [safe, second] = await Promise.all(serials);
          expect(safe?.serial).toBe(second?.serial);
        },
        { timeout: 60_000, interval: 200 },
      );
      await authority?.setAddress('127.0.0.1');
      expect(await ended()).toMatchObject({ failed: [] });
      expect(await home.ok('event', '--within-gateway', 'edge')).toMatch(
        /certificate for apps\.test is being renewed, but the next version of the server refuses it\. .*_dstack\.apps\.test TXT/,
      );
      await restart({ DSTACK_GATEWAY_DOMAINS: 'main=apps.test' });
      await failingHook(hook, ca);
      const endedLater = load('safe.apps.test', { ca });
      await home.ok('stop', 'second', '-y');
      await restart({ DSTACK_ACME_CHALLENGE: 'http-01' });
      await until('safe.apps.test', 200, { ca });
      expect(await endedLater()).toMatchObject({ failed: [] });
    },
    // Two renewals of a certificate that is valid for minutes.
    400_000,
  );

  it.skipIf(!hasPebble)(
    'serves a certificate that a person has set, until it is deleted',
    async () => {
      const own = authority?.sign('*.apps.test') ?? { ca: '', certificate: '', key: '' };
      const set = ['gateway', 'certificate', 'set', 'edge', '--cert', own.certificate, '--key'];
      const wrong = await home.dstack([...set, own.ca]);
      expect([wrong.code, wrong.stderr]).toEqual([
        1,
        expect.stringMatching(/no private key in PEM/),
      ]);
      expect(await home.ok(...set, own.key)).toMatch(/ edge .* running /);
      const ca = readFileSync(own.ca, 'utf8');
      await until('safe.apps.test', 200, { ca });
      await untilCertificates([
        { domain: 'gateway.apps.test', source: 'file', state: 'valid', renews_at: null },
        { domain: 'safe.apps.test', source: 'file', state: 'valid', renews_at: null },
      ]);
      expect(await home.ok('gateway', 'get', 'edge')).toMatch(/ safe\.apps\.test +file +valid +20/);
      await home.ok('gateway', 'certificate', 'delete', 'edge', '*.apps.test', '-y');
      await until('safe.apps.test', 200, { ca: (await authority?.roots()) ?? '' });
    },
  );

  it('leaves nothing behind when it is deleted', async () => {
    const { runtime, pid, nginx } = program();
    const refused = await home.dstack(['gateway', 'delete', 'edge', '-y']);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/Gateway edge is used by .*safe.*--force/),
    ]);
    await home.ok('gateway', 'delete', 'edge', '-y', '--force');
    await vi.waitFor(() => expect(existsSync(runtime)).toBe(false), { timeout: 90_000 });
    for (const id of [pid, nginx]) {
      await vi.waitFor(() => expect(existsSync(`/proc/${id}`)).toBe(false), { timeout: 90_000 });
    }
  });
});

/** The request as the app received it, which is the answer of the app. */
interface Described {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Ask {
  readonly ca: string;
  /** The server name in the TLS connection; the requested host by default. */
  readonly name: string;
  readonly authorization: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent by POST. */
  readonly body: string;
}
