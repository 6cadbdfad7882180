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
    const home = newInstallation({ DSTACK_LOCAL_PROJECTS: 'none', DSTACK_DATABASE_URL });
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

  it('answers through every server of its database, linked to the host or not', async () => {
    const { url } = await cluster.createDatabase();
    const first = await server(url);
    await applySshFleet(first, machines, 'pool', machines.hosts);
    await untilInstances(first, 'pool', allIdle);
    const second = await server(url);
    const yaml = [
      ...['type: service', 'name: web', `image: ${IMAGE}`, 'port: 8000', 'fleets: [pool]'],
      'commands: [mkdir www; echo hello > www/index.html, exec httpd -f -p 8000 -h www]',
      'probes: [{type: http, url: /index.html, interval: 1s}]',
      'resources: {cpu: 1.., memory: 1GB.., disk: 1GB..}',
    ].join('\n');
    const file = configuration(first, 'web.dstack.yml', yaml);
    await first.ok('apply', '-f', file, '-y', '-d');
    const headers = { authorization: `Bearer ${first.token()}` };
    for (const { url: address } of [first, second]) {
      let status = 0;
      let text = '';
      while (status !== 200) {
        const answer = await fetch(`${address}/proxy/services/main/web/index.html`, { headers });
        [status, text] = [answer.status, await answer.text()];
        if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(text).toBe('hello\n');
    }
    await first.ok('stop', 'web', '-y');
  });
});
