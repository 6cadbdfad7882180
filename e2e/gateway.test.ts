import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { applyFleet, configuration, newInstallation } from './installation.ts';
import { freePort } from './serving.ts';

const app = join(import.meta.dirname, 'service-app.ts');
const hasNginx = existsSync('/usr/sbin/nginx');
const hasPebble = existsSync('/usr/bin/pebble') && existsSync('/usr/bin/pebble-challtestsrv');

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
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

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
      ...(authority && { DSTACK_ACME_CA_FILE: authority.ca }),
    });
    await home.startServer();
    await applyFleet(home, '0..4');
  });
  afterAll(async () => {
    await home?.ok('gateway', 'delete', 'edge', '-y').catch(() => {});
    await home?.dispose();
    await authority?.stop();
  });

  async function applyGateway(certificate: string): Promise<string> {
    const yaml = `type: gateway\nname: edge\nbackend: remote\nregion: local\ndomain: '*.apps.test'\ncertificate: ${certificate}\n`;
    return await home.ok('apply', '-f', configuration(home, 'edge.dstack.yml', yaml), '-y');
  }

  async function applyService(name: string, more = ''): Promise<string> {
    const command = `exec ${process.execPath} ${app}`;
    const yaml = `type: service\nname: ${name}\nport: 8000\nhttps: auto\ncommands: ['${command}']\nresources: {gpu: 0}\n${more}`;
    return await home.ok('apply', '-f', configuration(home, `${name}.yml`, yaml), '-y', '-d');
  }

  const urlOf = async (run_name: string) =>
    (await home.api<{ service: { url: string } }>('/api/project/main/runs/get', { run_name }))
      .service.url;

  const show = () => home.api<Shown>('/api/project/main/gateways/get', { name: 'edge' });

  /** `host`: of the service; a connection to the gateway is opened for it. */
  function ask(host: string, path: string, more: Partial<Ask> = {}): Promise<Answer> {
    const { ca, headers = {}, authorization = `Bearer ${home.token()}` } = more;
    const options = {
      ...{ host: '127.0.0.1', port: ca ? ports.https : ports.http, path, agent: false as const },
      headers: { host, ...(authorization !== '' && { authorization }), ...headers },
      ...(ca && { ca, servername: more.name ?? host }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = (ca ? secureRequest : request)(options, (response) => {
        const { statusCode: status = 0 } = response;
        text(response).then((body) => resolve({ status, headers: response.headers, body }), reject);
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  const until = (host: string, status: number, more: Partial<Ask> = {}) =>
    vi.waitFor(async () => expect((await ask(host, '/', more)).status).toBe(status), {
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
    await applyService('web');
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

  it('answers while the server is down, and while its own processes are killed', async () => {
    const counts = { failed: 0, answered: 0 };
    let isOver = false;
    const load = [1, 2, 3].map(async () => {
      while (!isOver) {
        const { status } = await ask('web.apps.test', '/kilobyte').catch(() => ({ status: 0 }));
        if (status === 200) counts.answered += 1;
        else counts.failed += 1;
      }
    });
    await home.stopServer();
    const known = `Bearer ${home.token()}`;
    expect((await ask('web.apps.test', '/', { authorization: known })).status).toBe(200);
    expect((await ask('web.apps.test', '/', { authorization: 'Bearer new' })).status).toBe(503);
    const before = program();
    process.kill(before.pid, 'SIGKILL');
    await vi.waitFor(() => expect(program().pid).not.toBe(before.pid), { timeout: 90_000 });
    await home.startServer();
    await until('web.apps.test', 200);
    isOver = true;
    await Promise.all(load);
    expect(counts).toMatchObject({ failed: 0 });
    expect(counts.answered).toBeGreaterThan(0);
    process.kill(before.nginx, 'SIGKILL');
    await vi.waitFor(() => expect(program().nginx).not.toBe(before.nginx), { timeout: 90_000 });
    await until('web.apps.test', 200);
  });

  it.skipIf(!hasPebble)(
    'requests certificates, and reports the DNS record that is missing',
    async () => {
      await home.ok('stop', 'web', '-y');
      await home.ok('gateway', 'delete', 'edge', '-y');
      await applyGateway('{type: lets-encrypt}');
      await authority?.setAddress('');
      await applyService('safe');
      expect(await urlOf('safe')).toBe(`https://safe.apps.test:${ports.https}`);
      const missing = 'Create this record: *.apps.test A 127.0.0.1';
      await vi.waitFor(
        async () => expect((await show()).certificates.at(-1)?.message).toContain(missing),
        { timeout: 90_000, interval: 200 },
      );
      await authority?.setAddress('127.0.0.1');
      await vi.waitFor(
        async () =>
          expect((await show()).certificates).toMatchObject([
            { domain: 'gateway.apps.test', state: 'valid', message: null },
            { domain: 'safe.apps.test', state: 'valid', message: null },
          ]),
        { timeout: 90_000, interval: 200 },
      );
      expect(Date.parse((await show()).certificates[0]?.renews_at ?? '')).toBeGreaterThan(
        Date.now(),
      );
      const ca = (await authority?.roots()) ?? '';
      await until('safe.apps.test', 200, { ca });
      const moved = await ask('safe.apps.test', '/x?y');
      expect(moved).toMatchObject({ status: 301 });
      expect(moved.headers.location).toBe(`https://safe.apps.test:${ports.https}/x?y`);
      const mixed = { ca, name: 'safe.apps.test' };
      expect((await ask('gateway.apps.test', '/v1/models', mixed)).status).toBe(421);
      expect((await ask('gateway.apps.test', '/v1/models', { ca })).body).toContain('"list"');
      await expect(ask('none.apps.test', '/', { ca })).rejects.toThrow();
      const { runtime } = program();
      const key = execFileSync('stat', ['-c', '%a', `${runtime}/certificates/safe.apps.test.key`]);
      expect(['600', '640']).toContain(key.toString().trim());
    },
  );

  it('leaves nothing behind when it is deleted', async () => {
    const { runtime, pid, nginx } = program();
    await home.ok('gateway', 'delete', 'edge', '-y');
    await vi.waitFor(() => expect(existsSync(runtime)).toBe(false), { timeout: 90_000 });
    for (const id of [pid, nginx]) {
      await vi.waitFor(() => expect(existsSync(`/proc/${id}`)).toBe(false), { timeout: 90_000 });
    }
  });
});

interface Ask {
  readonly ca: string;
  /** Of the TLS connection. */
  readonly name: string;
  readonly authorization: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Pebble, an authority for tests, which looks names up at a DNS server of its own. */
async function startAuthority(ports: { http: number; https: number; acme: number; dns: number }) {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-authority-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const ca = ['-subj', '/CN=tests', '-addext', 'basicConstraints=critical,CA:TRUE'];
  const fresh = ['-newkey', 'rsa:2048', '-nodes'];
  openssl('req', '-x509', ...fresh, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', ...ca);
  openssl('req', ...fresh, '-keyout', 'own.key', '-out', 'own.csr', '-subj', '/CN=localhost');
  writeFileSync(join(dir, 'names'), 'subjectAltName=DNS:localhost');
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names'];
  openssl('x509', '-req', '-in', 'own.csr', ...signed, '-days', '2', '-out', 'own.pem');
  const [management, control] = [await freePort(), await freePort()];
  const pebble = {
    listenAddress: `127.0.0.1:${ports.acme}`,
    managementListenAddress: `127.0.0.1:${management}`,
    ...{ certificate: join(dir, 'own.pem'), privateKey: join(dir, 'own.key') },
    ...{ httpPort: ports.http, tlsPort: ports.https, externalAccountBindingRequired: false },
  };
  writeFileSync(join(dir, 'pebble.json'), JSON.stringify({ pebble }));
  const dns = `127.0.0.1:${ports.dns}`;
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''];
  const own = ['-dns01', dns, '-management', `127.0.0.1:${control}`, '-defaultIPv4', '127.0.0.1'];
  const children = [
    spawn('pebble-challtestsrv', [...own, ...off], { stdio: 'ignore' }),
    spawn('pebble', ['-strict', '-config', join(dir, 'pebble.json'), '-dnsserver', dns], {
      ...{ stdio: 'ignore', env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' } },
    }),
  ];
  const post = (path: string, body: object) =>
    fetch(`http://127.0.0.1:${control}/${path}`, { method: 'POST', body: JSON.stringify(body) });
  await vi.waitFor(() => post('set-default-ipv4', { ip: '127.0.0.1' }), { timeout: 90_000 });
  return {
    ca: join(dir, 'ca.pem'),
    /** Of every name; empty = none has one. */
    setAddress: (ip: string) => post('set-default-ipv4', { ip }),
    roots: () =>
      new Promise<string>((resolve, reject) => {
        const options = { ca: readFileSync(join(dir, 'ca.pem')), servername: 'localhost' };
        secureRequest(`https://127.0.0.1:${management}/roots/0`, options, (response) => {
          text(response).then(resolve, reject);
        })
          .on('error', reject)
          .end();
      }),
    stop: async () => {
      for (const child of children) {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      }
      rmSync(dir, { recursive: true });
    },
  };
}
