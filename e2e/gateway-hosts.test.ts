/** Gateways on hosts of an SSH fleet, each with an address and ports of its own. */
import { existsSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { Installation } from '@dstack/testkit';
import { type Authority, hasPebble, startAuthority } from '@dstack/testkit/certificate-authority';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  afterFailure,
  allIdle,
  applySshFleet,
  IMAGE,
  missingForHosts,
  type ShownInstance,
  untilInstances,
} from './hosts.ts';
import { configuration, newInstallation } from './installation.ts';
import { newerBuild } from './newer-build.ts';
import { requestLoad } from './request-load.ts';
import { freePort } from './serving.ts';
import { until, waitFor } from './until.ts';

const allConnected = (all: readonly ShownInstance[]) =>
  all.every(({ status, unreachable }) => ['idle', 'busy'].includes(status) && !unreachable);

const hasNginx = existsSync('/usr/sbin/nginx');

interface Shown {
  readonly status: string;
  readonly hostname: string | null;
  readonly replicas: readonly { readonly status: string; readonly hostname: string | null }[];
}

/** Names of a service, each of which leads to one replica. */
const [OWN, OTHER] = ['chat.customer.test', 'talk.customer.test'];

describe.skipIf(missingForHosts() !== null || !hasNginx)('a gateway on SSH hosts', () => {
  let machines: TestHosts;
  let first: TestHost;
  let second: TestHost;
  let third: TestHost;
  let home: Installation;
  let authority: Authority | null = null;
  beforeAll(async () => {
    machines = await startHosts({ count: 3 });
    [first, second, third] = machines.hosts as [TestHost, TestHost, TestHost];
    await machines.busybox(IMAGE);
    // Clients here try both addresses at once.
    const settings = { DSTACK_GATEWAY_MOVE_SECONDS: '1' };
    home = newInstallation({ ...settings, ...(await authorityOf(machines.gateway)) });
    await home.startServer();
    await applySshFleet(home, machines, 'pool', machines.hosts);
    await untilInstances(home, 'pool', allIdle);
  });
  afterEach(({ task }) => afterFailure(task, home, machines.hosts));
  afterAll(async () => {
    await home?.dispose();
    machines?.close();
    await authority?.stop();
  });

  /** Settings of the server for it. */
  async function authorityOf(host: string): Promise<Record<string, string>> {
    if (!hasPebble) return {};
    const ports = { http: 80, https: 443, acme: await freePort(), dns: await freePort() };
    authority = await startAuthority(ports, { host, validSeconds: 86_400 });
    return {
      DSTACK_GATEWAY_DNS: `${host}:${ports.dns}`,
      DSTACK_ACME_SERVER: `https://${host}:${ports.acme}/dir`,
      ...{ DSTACK_ACME_CA_FILE: authority.ca, ...authority.account },
    };
  }

  async function applyGateway(more: string) {
    const certificate = hasPebble ? '{type: lets-encrypt}' : 'null';
    const yaml = `type: gateway\nname: edge\nbackend: remote\nregion: pool\ndomain: '*.apps.test'\ncertificate: ${certificate}\n${more}`;
    return await home.dstack(['apply', '-f', configuration(home, 'edge.yml', yaml), '-y']);
  }

  const show = () => home.api<Shown>('/api/project/main/gateways/get', { name: 'edge' });

  /** Port 80 of the host. */
  function ask(host: TestHost, run = 'web'): Promise<number> {
    const headers = { host: `${run}.apps.test`, authorization: `Bearer ${home.token()}` };
    const options = { host: host.address, path: '/index.html', agent: false as const, headers };
    return new Promise((done, fail) => {
      const outgoing = request(options, (response) => {
        text(response).then(() => done(response.statusCode ?? 0), fail);
      });
      outgoing.on('error', fail);
      // Longer than a gateway waits for a replica.
      outgoing.setTimeout(20_000, () => outgoing.destroy(new Error('no answer for 20 s')));
      outgoing.end();
    });
  }

  /** Port 443 of the host. Resolves with the serial number of the certificate. */
  function serialAt(host: TestHost, name: string, ca: string): Promise<string> {
    const headers = { host: name, authorization: `Bearer ${home.token()}` };
    const where = { host: host.address, path: '/index.html', agent: false as const };
    return new Promise((done, fail) => {
      const outgoing = secureRequest({ ...where, headers, ca, servername: name }, (response) => {
        const { socket, statusCode } = response.resume();
        const isServed = statusCode === 200 && socket instanceof TLSSocket;
        if (isServed) done(socket.getPeerCertificate().serialNumber);
        else fail(new Error(`${statusCode}`));
      });
      outgoing.on('error', fail);
      outgoing.setTimeout(20_000, () => outgoing.destroy(new Error('no answer for 20 s')));
      outgoing.end();
    });
  }

  /**
   * Sends requests by HTTPS to a name of a service, until the returned function has found that the new
   * replica of the gateway serves the same certificates.
   */
  function secureLoad(): () => Promise<void> {
    if (!hasPebble) return async () => {};
    const ca = authority?.roots() ?? Promise.resolve('');
    const counts = requestLoad(async () => {
      await serialAt(first, OWN, await ca);
      return null;
    });
    return async () => {
      for (const name of [OWN, OTHER]) {
        const serial = await serialAt(first, name, await ca);
        expect(await untilSecure(third, name, await ca)).toBe(serial);
      }
      const { answered, failed } = await counts();
      expect(failed).toEqual([]);
      expect(answered).toBeGreaterThan(0);
      await home.ok('stop', 'own', '-y', '--wait');
    };
  }

  const untilSecure = (host: TestHost, name: string, ca: string) =>
    waitFor(
      () => serialAt(host, name, ca).catch(String),
      (seen) => /^[0-9A-F]+$/.test(seen),
      async (seen) => `${seen}; ${await home.ok('gateway', 'get', 'edge')}`,
    );

  async function untilServed(host: TestHost, run = 'web'): Promise<void> {
    await waitFor(
      () => ask(host, run).catch(String),
      (answer) => answer === 200,
      async (answer) => `${answer}; ${await home.ok('explain', run, '-v')}`,
    );
  }

  async function programOf(host: TestHost) {
    const files = '/run/dstack-gw-*/program.json /run/dstack-gw-*/nginx.pid';
    const [, program = '', nginx = ''] =
      /"program":"(.*?)"}(\d+)/.exec(await host.exec(`cat ${files}`)) ?? [];
    return { program, nginx };
  }

  const leftOn = (host: TestHost) =>
    host.exec(
      'ls -d /run/dstack-gw-* /var/lib/dstack/gateways/* 2>/dev/null; pgrep -l "^nginx|gateway" || true',
    );

  const replicas = async () =>
    (
      await home.api<{ jobs: { job_submissions: { status: string }[] }[] }>(
        '/api/project/main/runs/get',
        { run_name: 'web' },
      )
    ).jobs.map(({ job_submissions }) => job_submissions.at(-1)?.status);

  const load = (host: TestHost, run = 'web') =>
    requestLoad(async () => {
      const status = await ask(host, run);
      return status === 200 ? null : status;
    });

  it('names the program that holds its port, and starts where the ports are free', async () => {
    await first.exec('busybox httpd -p 80 -h /var/empty 2>/dev/null || busybox httpd -p 80 -h /');
    const { code, stderr } = await applyGateway('instance_type: pool-0\n');
    expect(code).toBe(1);
    expect(stderr).toMatch(/Port 80 of \S+ is held by busybox \(pid \d+\)/);
    await first.exec('pkill -f "httpd -p 80"');
    await home.ok('gateway', 'delete', 'edge', '-y', '--force');
    await until(async () => (await home.dstack(['gateway', 'get', 'edge'])).code !== 0);
    expect(await applyGateway('')).toMatchObject({ code: 0 });
    expect(await show()).toMatchObject({ status: 'running', hostname: null });
    expect((await show()).replicas).toMatchObject([{ status: 'running', hostname: first.address }]);
  });

  it('serves while the server is away, and reports its requests afterwards', async () => {
    const yaml = [
      ...['type: service', 'name: web', `image: ${IMAGE}`, 'port: 8000', 'fleets: [pool]'],
      'commands: [mkdir www; echo hello > www/index.html, exec httpd -f -p 8000 -h www]',
      'probes: [{type: http, url: /index.html, interval: 1s}]',
      'https: false',
      'replicas: 1..2',
      'scaling: {metric: rps, target: 0.5, window: 5m, scale_up_delay: 0s, scale_down_delay: 1h}',
      'resources: {cpu: 1.., memory: 1GB.., disk: 1GB..}',
    ].join('\n');
    const file = configuration(home, 'web.dstack.yml', yaml);
    await home.ok('apply', '-f', file, '-y', '-d');
    await untilServed(first);
    await home.stopServer();
    for (let n = 0; n < 200; n++) expect(await ask(first)).toBe(200);
    await home.startServer();
    await until(
      async () => (await replicas()).filter((status) => status === 'running').length >= 2,
    );
  });

  it('fails no request while it and the agents are upgraded in place', async () => {
    const before = await programOf(first);
    const newer = newerBuild();
    const counts = load(first);
    try {
      await home.stopServer();
      const later = new Installation({ dstack: join(newer, 'bin', 'dstack'), env: home.env });
      await later.startServer();
      await until(async () => (await programOf(first)).program !== before.program);
      await later.dispose();
    } finally {
      rmSync(newer, { recursive: true, force: true });
    }
    await home.startServer();
    await until(async () => (await programOf(first)).program === before.program);
    await untilInstances(home, 'pool', allConnected);
    expect((await programOf(first)).nginx).toBe(before.nginx);
    const { answered, failed } = await counts();
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  it('has another replica when it is requested, which serves when the first one ends', async () => {
    expect(await applyGateway('replicas: 2\n')).toMatchObject({ code: 0 });
    await untilServed(second);
    const counts = load(second);
    await first.crash();
    for (let n = 0; n < 20; n++) expect(await ask(second)).toBe(200);
    await first.boot();
    await untilServed(first);
    expect(await applyGateway('replicas: 1\n')).toMatchObject({ code: 0 });
    const states = async () => (await show()).replicas.map((one) => [one.hostname, one.status]);
    // No client reaches it any more.
    const ended = [null, 'terminated'];
    await waitFor(
      states,
      ([oldest]) => isDeepStrictEqual(oldest, ended),
      (seen) => JSON.stringify(seen),
    );
    expect(await states()).toEqual([ended, [second.address, 'running']]);
    expect(await leftOn(first)).toBe('');
    expect((await counts()).failed).toEqual([]);
  });

  it('goes on reaching a replica on another host while the server is away', async () => {
    const yaml = [
      ...['type: service', 'name: far', `image: ${IMAGE}`, 'port: 8000', 'https: false'],
      'commands: [mkdir www; echo hello > www/index.html, exec httpd -f -p 8000 -h www]',
      'instances: [{fleet: pool, instance: 0}]',
      'resources: {cpu: 1.., memory: 1GB.., disk: 1GB..}',
    ].join('\n');
    // Its first replica may be on the host that the next service asks for.
    await home.ok('stop', 'web', '-y', '--wait');
    const file = configuration(home, 'far.dstack.yml', yaml);
    await home.ok('apply', '-f', file, '-y', '-d');
    await untilServed(second, 'far');
    // Its tunnel may take a moment longer than the way through the server.
    const isOpen = () =>
      second.exec(`ss -tn state established dst ${first.address} | grep -c :22 || true`);
    await until(async () => (await isOpen()).trim() !== '0');
    await home.stopServer();
    await untilServed(second, 'far');
    for (let n = 0; n < 100; n++) expect(await ask(second, 'far')).toBe(200);
    await home.startServer();
  });

  it.skipIf(!hasPebble)(
    'proves names of a service at whichever replica they lead to, and serves them at both',
    async () => {
      expect(await applyGateway('replicas: 2\n')).toMatchObject({ code: 0 });
      await untilServed(first, 'far');
      const owners = { [OWN]: first, [OTHER]: second, 'own.apps.test': second };
      for (const [name, { address }] of Object.entries(owners)) {
        await authority?.setAddressOf(name, address);
      }
      const yaml = [
        ...['type: service', 'name: own', `image: ${IMAGE}`, 'port: 8000', 'fleets: [pool]'],
        ...[`hosts: [${OWN}, ${OTHER}]`, 'instances: [{fleet: pool, instance: 2}]'],
        'commands: [mkdir www; echo hello > www/index.html, exec httpd -f -p 8000 -h www]',
        'resources: {cpu: 1.., memory: 1GB.., disk: 1GB..}',
      ].join('\n');
      const args = ['apply', '-f', configuration(home, 'own.yml', yaml), '-y', '-d'];
      for (const name of [OWN, OTHER]) {
        const { stderr } = await home.dstack(args);
        const [, record = '', value = ''] =
          /Create this record, then try again: (\S+) TXT "(\S+)"/.exec(stderr) ?? [];
        expect(record).toBe(`_dstack.${name}`);
        await authority?.setTxt(record, value);
      }
      await home.ok(...args);
      const ca = (await authority?.roots()) ?? '';
      for (const name of Object.keys(owners)) {
        // One of them has requested it for both.
        expect(await untilSecure(first, name, ca)).toBe(await untilSecure(second, name, ca));
      }
    },
  );

  it('replaces the replica of a host that leaves, while the other one serves', async () => {
    expect(await applyGateway('replicas: 2\n')).toMatchObject({ code: 0 });
    await untilServed(first, 'far');
    const counts = load(first, 'far');
    const endSecure = secureLoad();
    await applySshFleet(home, machines, 'pool', [first, third]);
    await untilServed(third, 'far');
    await endSecure();
    await until(async () => (await leftOn(second)) === '');
    const living = (await show()).replicas.filter(({ status }) => status === 'running');
    expect(living.map(({ hostname }) => hostname).sort()).toEqual(
      [first.address, third.address].sort(),
    );
    const { answered, failed } = await counts();
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  it('moves to another host, which serves before the first one leaves', async () => {
    expect(await applyGateway('instance_type: pool-2\n')).toMatchObject({ code: 0 });
    await until(async () => (await leftOn(first)) === '');
    // A client connects to the other address if nothing listens at one.
    const counts = requestLoad(async () => {
      for (const host of [third, first]) {
        const status = await ask(host, 'far').catch((error: NodeJS.ErrnoException) => error);
        if (status === 200) return null;
        if (typeof status === 'number' || status.code !== 'ECONNREFUSED') return status;
      }
      return 'nothing listens';
    });
    expect(await applyGateway('instance_type: pool-0\n')).toMatchObject({ code: 0 });
    await until(async () => (await leftOn(third)) === '');
    expect(await ask(first, 'far')).toBe(200);
    const { answered, failed } = await counts();
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(0);
    await home.ok('stop', 'far', '-y');
  });

  it('leaves nothing behind when it is deleted', async () => {
    expect(await leftOn(first)).not.toBe('');
    await home.ok('gateway', 'delete', 'edge', '-y', '--force');
    for (const host of [first, third]) await until(async () => (await leftOn(host)) === '');
  });
});
