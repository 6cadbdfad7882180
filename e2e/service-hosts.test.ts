import { copyFileSync, mkdirSync } from 'node:fs';
import {
  type Installation,
  type PostgresCluster,
  postgresBinaries,
  startPostgres,
} from '@dstack/testkit';
import { startHosts, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allIdle, applySshFleet, IMAGE, missingForHosts, untilInstances } from './hosts.ts';
import { configuration, newInstallation } from './installation.ts';
import { until } from './until.ts';

const binaries = postgresBinaries();

describe.skipIf(missingForHosts() !== null || binaries === null)('a service on a host', () => {
  let machines: TestHosts;
  let cluster: PostgresCluster;
  const homes: Installation[] = [];
  beforeAll(async () => {
    machines = await startHosts({ count: 1 });
    await machines.busybox(IMAGE);
    cluster = await startPostgres(binaries ?? '');
  });
  afterAll(async () => {
    for (const home of homes) await home.dispose();
    await machines?.close();
    await cluster?.stop();
  });

  async function server(DSTACK_DATABASE_URL: string): Promise<Installation> {
    const home = newInstallation({
      ...{ DSTACK_LOCAL_PROJECTS: 'none', DSTACK_DATABASE_URL },
      // Workers would go on, and count rate limits alone, while their server is away.
      DSTACK_SERVER_PROXY_WORKERS: '0',
    });
    const [first] = homes;
    homes.push(home);
    if (first) {
      // Servers of one database have the same keys.
      mkdirSync(home.serverDir, { recursive: true });
      copyFileSync(`${first.serverDir}/config.yml`, `${home.serverDir}/config.yml`);
    }
    await home.startServer();
    return home;
  }

  const RATE = { rps: 0.017, burst: 39 };

  /** `client`: whose requests are limited. */
  async function ask(home: Installation, client?: string): Promise<200 | 429 | 'broken'> {
    const headers = {
      authorization: `Bearer ${homes[0]?.token()}`,
      ...(client !== undefined && { 'X-Client': client }),
    };
    const path = '/proxy/services/main/web/index.html';
    const answer = await fetch(home.url + path, { headers }).catch(() => null);
    const text = await answer?.text().catch(() => null);
    if (answer?.status === 200) expect(text).toBe('hello\n');
    return answer?.status === 200 || answer?.status === 429 ? answer.status : 'broken';
  }

  async function untilReady(home: Installation): Promise<void> {
    await until(async () => (await ask(home)) === 200);
  }

  it('answers through every server of its database, linked to the host or not', async () => {
    const { url } = await cluster.createDatabase();
    const first = await server(url);
    await applySshFleet(first, machines, 'pool', machines.hosts);
    await untilInstances(first, 'pool', allIdle);
    const second = await server(url);
    const limits = JSON.stringify([{ key: { type: 'header', header: 'X-Client' }, ...RATE }]);
    const yaml = [
      ...['type: service', 'name: web', `image: ${IMAGE}`, 'port: 8000', 'fleets: [pool]'],
      'commands: [mkdir www; echo hello > www/index.html, exec httpd -f -p 8000 -h www]',
      'probes: [{type: http, url: /index.html, interval: 1s}]',
      `rate_limits: ${limits}`,
      'resources: {cpu: 1.., memory: 1GB.., disk: 1GB..}',
    ].join('\n');
    const file = configuration(first, 'web.dstack.yml', yaml);
    await first.ok('apply', '-f', file, '-y', '-d');
    for (const home of [first, second]) await untilReady(home);
  });

  /**
   * Requests to both servers at once, until each of 16 callers was refused twice. `meanwhile` begins after
   * the first answer.
   */
  async function load(client: string, meanwhile?: () => Promise<unknown>) {
    const counts = { 200: 0, 429: 0, broken: 0 };
    const began = performance.now();
    const call = async (home: Installation) => {
      for (let refused = 0; refused < 2; ) {
        const outcome = await ask(home, client);
        counts[outcome] += 1;
        if (outcome !== 200) refused += 1;
      }
    };
    const calls = Array.from({ length: 16 }, (_, n) => call(homes[n % 2] as Installation));
    while (counts[200] + counts.broken === 0) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([...calls, meanwhile?.()]);
    const drained = Math.floor((RATE.rps * (performance.now() - began)) / 1000);
    return { counts, allowed: 1 + RATE.burst + drained };
  }

  it('has a rate limit that is exact over all servers, and one log of its requests', async () => {
    const { counts, allowed } = await load('ann');
    expect(counts).toEqual({ 200: allowed, 429: 32, broken: 0 });
    for (const home of homes) {
      const lines = (await home.ok('logs', '--access', 'web', '--json')).trim().split('\n');
      const refused = lines.filter((line) => JSON.parse(line).status === 429);
      expect(refused).toHaveLength(32);
    }
  });

  it('keeps the counts of a server that is killed', async () => {
    const [first, second] = homes as [Installation, Installation];
    const { counts, allowed } = await load('ben', () => first.stopServer('SIGKILL'));
    // A request that has broken may have been counted, or not; no other one is lost or comes twice.
    expect(counts[200]).toBeLessThanOrEqual(allowed);
    expect(counts[200] + counts.broken).toBeGreaterThanOrEqual(1 + RATE.burst);
    await first.startServer();
    await untilReady(first);
    expect([await ask(first, 'ben'), await ask(second, 'ben')]).toEqual([429, 429]);
  });
});
