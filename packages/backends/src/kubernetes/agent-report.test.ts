import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { agentReport } from './agent-report.ts';
import { readKubeconfig } from './api/kubeconfig.ts';
import { Cluster } from './cluster.ts';

/** An API server with one pod, whose log the test writes. */
let server: Server;
let cluster: Cluster;
let isStarted: boolean;
let startedAt: string | undefined;
let onLog: (response: ServerResponse) => void;
let logRequests: URL[];

beforeEach(async () => {
  isStarted = true;
  startedAt = undefined;
  logRequests = [];
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://api');
    if (url.pathname.endsWith('/log')) {
      logRequests.push(url);
      return onLog(response);
    }
    const state = isStarted ? { running: { startedAt } } : { waiting: {} };
    response.end(
      JSON.stringify({ metadata: {}, status: { containerStatuses: [{ name: 'job', state }] } }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const file = {
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  };
  const access = readKubeconfig(JSON.stringify(file)).context('c');
  const names = { region: '', namespace: 'jobs', serverId: 's' };
  cluster = new Cluster({ access, ...names, matches: () => true });
});
afterEach(() => {
  cluster.close();
  server.closeAllConnections();
  server.close();
});

const LISTENING = '{"level":"info","event":"tunnel listening","port":10998}\n';

it('follows the log of the job until its agent listens', async () => {
  const following = Promise.withResolvers<ServerResponse>();
  onLog = (response) => {
    response.write('{"event":"starting"}\n');
    following.resolve(response);
  };
  const reported = agentReport(cluster, 'train')();
  const log = await following.promise;
  // A line may come in parts.
  log.write(LISTENING.slice(0, 30));
  log.write(LISTENING.slice(30));
  const closed = new Promise((resolve) => log.once('close', resolve));
  expect(await reported).toBe(true);
  await closed;
  const [{ pathname, searchParams }] = logRequests as [URL];
  expect(pathname).toBe('/api/v1/namespaces/jobs/pods/train/log');
  expect([searchParams.get('container'), searchParams.get('follow')]).toEqual(['job', 'true']);
});

it('reports nothing if the container ends without an agent', async () => {
  onLog = (response) => response.end('exec format error\n');
  expect(await agentReport(cluster, 'train')()).toBe(false);
});

it('asks for no log of a container that has run for long', async () => {
  startedAt = new Date(Date.now() - 120_000).toISOString();
  expect(await agentReport(cluster, 'train')()).toBe(true);
  expect(logRequests).toEqual([]);
});

it('asks for no log before the container has started', async () => {
  isStarted = false;
  expect(await agentReport(cluster, 'train')()).toBe(false);
  expect(logRequests).toEqual([]);
});

it('asks once only if its user may not read logs', async () => {
  onLog = (response) => response.writeHead(403).end('{"message":"forbidden"}');
  const report = agentReport(cluster, 'train');
  expect([await report(), await report()]).toEqual([false, false]);
  expect(logRequests).toHaveLength(1);
});
