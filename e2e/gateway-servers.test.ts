/** A gateway of two servers on one database: the server that is linked to it is killed under load. */
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import {
  type Installation,
  type PostgresCluster,
  postgresBinaries,
  startPostgres,
} from '@dstack/testkit';
import { startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  afterFailure,
  allIdle,
  applySshFleet,
  IMAGE,
  missingForHosts,
  untilInstances,
} from './hosts.ts';
import { configuration, newInstallation, newServerBeside } from './installation.ts';
import { type LoadCounts, requestLoad } from './request-load.ts';
import { serviceFigures } from './service-figures.ts';
import { until, waitFor } from './until.ts';

const binaries = postgresBinaries();
const isPossible = missingForHosts() === null && existsSync('/usr/sbin/nginx') && binaries !== null;

const PATIENCE = { timeout: 240_000 };

/** Pages, and a chat that reports its tokens. */
const APP = `commands:
  - |
    mkdir -p www/cgi-bin
    echo hello > www/index.html
    cat > www/cgi-bin/chat <<'END'
    #!/bin/sh
    cat > /dev/null
    printf 'Content-Type: application/json\\r\\n\\r\\n'
    echo '{"usage": {"prompt_tokens": 2, "completion_tokens": 3}}'
    END
    chmod +x www/cgi-bin/chat
    exec httpd -f -p 8000 -h www
`;

const SCALED = 'scaling: {metric: rps, target: 0.5, window: 30s, scale_up_delay: 0s}\n';

describe.skipIf(!isPossible)('a gateway of two servers', PATIENCE, () => {
  let cluster: PostgresCluster;
  let database: { readonly name: string; readonly url: string };
  let machines: TestHosts;
  let host: TestHost;
  let first: Installation;
  let second: Installation;
  beforeAll(async () => {
    cluster = await startPostgres(binaries ?? '');
    database = await cluster.createDatabase();
    machines = await startHosts({ count: 2 });
    [host] = machines.hosts as [TestHost];
    await machines.busybox(IMAGE);
    const env = { DSTACK_DATABASE_URL: database.url, DSTACK_LOCAL_PROJECTS: 'none' };
    first = newInstallation(env);
    await first.startServer();
    await applySshFleet(first, machines, 'pool', machines.hosts, 2);
    await untilInstances(first, 'pool', allIdle);
    second = await newServerBeside(first, env);
  });
  afterEach(({ task }) => afterFailure(task, second, machines.hosts));
  afterAll(async () => {
    await second?.dstack(['gateway', 'delete', 'edge', '-y', '--force']);
    await first?.dispose();
    await second?.dispose();
    machines?.close();
    await cluster?.stop();
  });

  async function applyService(through: Installation, name: string, more: string): Promise<void> {
    const yaml = [
      ...['type: service', `name: ${name}`, `image: ${IMAGE}`, 'port: 8000', 'fleets: [pool]'],
      ...['probes: [{type: http, url: /index.html, interval: 1s}]', 'https: false'],
      ...['resources: {cpu: 1.., memory: 512MB.., disk: 1GB..}', `${APP}${more}`],
    ].join('\n');
    const file = configuration(through, `${name}.yml`, yaml);
    await through.ok('apply', '-f', file, '-y', '-d');
  }

  /** The status of an answer at port 80 of the gateway's host. */
  function ask(name: string, path: string, body?: string): Promise<number> {
    const headers = { host: `${name}.apps.test`, authorization: `Bearer ${first.token()}` };
    const options = {
      ...{ host: host.address, path, agent: false as const, headers },
      method: body === undefined ? 'GET' : 'POST',
    };
    return new Promise((done, fail) => {
      const outgoing = request(options, (response) => {
        text(response).then(() => done(response.statusCode ?? 0), fail);
      });
      outgoing.on('error', fail);
      outgoing.setTimeout(30_000, () => outgoing.destroy(new Error('no answer for 30 s')));
      outgoing.end(body);
    });
  }

  const page = (name = 'web') => ask(name, '/index.html');
  const chat = () => ask('gateway', '/v1/chat/completions', JSON.stringify({ model: 'parrot' }));

  const untilServed = (name: string) =>
    waitFor(
      () => page(name).catch(String),
      (answer) => answer === 200,
      async (answer) => `${answer}; ${await second.ok('explain', name, '-v')}`,
    );

  const load = (one: () => Promise<number>) =>
    requestLoad(async () => {
      const status = await one();
      return status === 200 ? null : status;
    });

  /** The number of requests to a service since that second, as all servers together have stored it. */
  async function requestsOf(name: string, since: number): Promise<number> {
    const [row] = await cluster.query(
      `select coalesce(sum(requests), 0)::int as count from service_requests s
         join runs r on r.id = s.run_id where r.name = '${name}' and s.second >= ${since}`,
      database.name,
    );
    return Number(row?.count);
  }

  const running = async (name: string) => {
    const { jobs } = await second.api<{ jobs: { job_submissions: { status: string }[] }[] }>(
      '/api/project/main/runs/get',
      { run_name: name },
    );
    return jobs.filter(({ job_submissions: all }) => all.at(-1)?.status === 'running').length;
  };

  it('fails no request while the server that is linked to it is killed, and counts each once', async () => {
    const yaml =
      "type: gateway\nname: edge\nbackend: remote\nregion: pool\ninstance_type: pool-0\ndomain: '*.apps.test'\ncertificate: null\n";
    await first.ok('apply', '-f', configuration(first, 'edge.yml', yaml), '-y');
    const model = 'model: {format: openai, name: parrot, prefix: /cgi-bin}\n';
    const scaling = SCALED.replace('0.5', '1000000');
    await applyService(first, 'web', `replicas: 2..3\n${scaling}${model}`);
    await untilServed('web');
    await until(async () => (await running('web')) === 2);
    // Those before may not have been stored yet.
    const since = Math.floor(Date.now() / 1000) + 1;
    await until(() => Date.now() >= since * 1000);
    const known = { pages: 0, chats: 0 };
    const pages = load(async () => {
      const status = await page();
      known.pages += 1;
      return status;
    });
    const chats = load(async () => {
      const status = await chat();
      known.chats += 1;
      return status;
    });
    // A token that the gateway has not seen yet needs a server.
    await until(() => known.pages > 50 && known.chats > 50);
    // The gateway is connected to one server, which the other one asks.
    for (const home of [first, second]) {
      await waitFor(
        // There are none until the servers have asked each other.
        async () => await serviceFigures(home, 'web').catch((error: Error) => error),
        (shown) => !(shown instanceof Error) && shown.replicas === 2 && shown.rps > 0,
        JSON.stringify,
      );
    }
    await first.stopServer('SIGKILL');
    const atKill = { ...known };
    // Published through the other server, which must be linked to the gateway for it.
    await applyService(second, 'later', `replicas: 1..2\n${SCALED}`);
    await untilServed('later');
    for (let n = 0; n < 60; n++) expect(await page('later')).toBe(200);
    await until(async () => (await running('later')) === 2);
    const counts: LoadCounts[] = await Promise.all([pages(), chats()]);
    expect(counts.map(({ failed }) => failed)).toEqual([[], []]);
    expect(known.pages).toBeGreaterThan(atKill.pages);
    expect(known.chats).toBeGreaterThan(atKill.chats);
    const [{ answered: pageCount }, { answered: chatCount }] = counts as [LoadCounts, LoadCounts];
    const usage = async () => JSON.parse(await second.ok('usage', '--json')).usage as object[];
    const total = pageCount + chatCount;
    await waitFor(
      async () => ({ requests: await requestsOf('web', since), usage: await usage() }),
      ({ requests, usage }) =>
        requests >= total &&
        (usage[0] as { requests?: number } | undefined)?.requests === chatCount,
      (seen) => `${JSON.stringify(seen)} of ${total} and ${chatCount}`,
    );
    expect(await requestsOf('web', since)).toBe(total);
    expect(await usage()).toMatchObject([
      {
        ...{ model: 'parrot', user: 'admin', requests: chatCount, aborted: 0, estimated: 0 },
        ...{ prompt_tokens: 2 * chatCount, completion_tokens: 3 * chatCount },
      },
    ]);
  });

  it('serves on when the other server is killed after the first one has returned', async () => {
    await first.startServer();
    const pages = load(page);
    await until(async () => (await page('later')) === 200);
    await second.stopServer('SIGKILL');
    await first.ok('stop', 'later', '-y');
    await until(async () => (await page('later')) === 404);
    const { answered, failed } = await pages();
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(0);
    await second.startServer();
  });
});
