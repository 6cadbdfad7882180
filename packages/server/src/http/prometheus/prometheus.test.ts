import type { GatewayCertificateState, GatewayReport } from '@dstack/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServerMetrics } from '../../metrics/server-metrics.ts';
import { runningGateway } from '../gateways/testing/running-gateway.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ metricsToken: 'scrape' });
});
afterAll(() => server.close());

const read = (path: string, token: string | null = null) =>
  server.call(path, undefined, { method: 'GET', token });

describe('metrics for Prometheus', () => {
  it('can be read with their own token only', async () => {
    expect((await read('/metrics')).status).toBe(401);
    expect((await read('/metrics', server.token)).status).toBe(403);
    const answer = await read('/metrics', 'scrape');
    expect(answer.status).toBe(200);
    expect(String(answer.headers['content-type'])).toMatch(/^text\/plain/);
  });

  it('count runs by how they ended, and existing jobs and instances', async () => {
    const spec = {
      configuration: { type: 'fleet', name: 'pool', nodes: 1 },
      profile: { name: 'default' },
    };
    await server.call('/api/project/main/fleets/apply', { plan: { spec }, force: false });
    const run_spec = { run_name: 'train', configuration: { type: 'task', commands: ['true'] } };
    await server.call('/api/project/main/runs/apply', { plan: { run_spec }, force: false });
    const { text } = await read('/metrics', 'scrape');
    expect(text).toContain(
      'dstack_run_count_total{dstack_project_name="main",dstack_user_name="admin"} 1',
    );
    expect(text).not.toContain('dstack_run_count_done_total');
  });

  it('show the health of instances as a number', async () => {
    const [view] = await server.store.instances.list({ projectIds: null });
    const { id, version } = view?.instance ?? { id: '', version: 0 };
    const set = { status: 'idle', health: 'failure' } as const;
    await server.store.engine.apply([{ type: 'instance.update', id, version, set }]);
    const { text } = await read('/metrics', 'scrape');
    expect(text).toMatch(/^dstack_instance_health\{.*dstack_instance_name="pool-0".*\} 2$/m);
  });

  it('show when certificates of gateways end, and how many replicas serve', async () => {
    const gatewayId = await runningGateway(server, 'edge');
    const [replica] = await server.store.gateways.replicas(gatewayId);
    const certificate: GatewayCertificateState = {
      ...{ domain: 'web.apps.test', source: 'acme', state: 'valid', message: null },
      ...{ expiresAt: 1_790_000_000_500_000, renewsAt: null },
    };
    const report: GatewayReport = {
      ...{ replicaId: replica?.id ?? '', state: 'ready', text: null, hostname: null },
      ...{ version: '1', certificates: [certificate], outdated: null, updatedAt: 1 },
    };
    await server.store.gateways.saveReport(report, gatewayId);
    const { text } = await read('/metrics', 'scrape');
    const labels = 'dstack_project_name="main",dstack_gateway_name="edge"';
    expect(text).toContain(`dstack_gateway_replicas{${labels}} 1\n`);
    expect(text).toContain(
      `dstack_gateway_certificate_expiry_timestamp_seconds{${labels},domain="web.apps.test"} 1790000000\n`,
    );
  });

  it('show how deep the queues are, how passes end, and who uses the SSH entry', async () => {
    const depth = { waiting: 3, running: 1, delayed: 2 };
    const none = { waiting: 0, running: 0, delayed: 0 };
    const metrics = new ServerMetrics({
      store: server.store,
      now: () => 0,
      depths: () => ({
        ...{ run: depth, placement: none, capacity: none, pool: none, instance: none, fleet: none },
        ...{ observation: none, volume: none, gateway: none, group: none, intent: none },
        'volume-observation': none,
      }),
      onError: () => {},
    });
    metrics.passEnded('run', 'done', 0.002);
    metrics.passEnded('run', 'conflict', 0.2);
    metrics.showSshEntry({ connections: 4 });
    const text = await metrics.text();
    expect(text).toContain('dstack_server_ssh_entry_connections 4');
    expect(text).toContain('dstack_server_queue_depth{kind="run",state="waiting"} 3');
    expect(text).toContain('dstack_server_pass_duration_seconds_count{kind="run",ending="done"} 1');
    expect(text).toContain('ending="conflict"');
  });
});

describe('other paths without a token', () => {
  it('show whether the server answers and whether it can work', async () => {
    expect((await read('/healthcheck')).body).toEqual({ status: 'running' });
    const ready = await read('/readyz');
    expect(ready.body).toEqual({ status: 'ready', database: 'ok', loops: 'running' });
    const idle = await startTestServer({}, { loopsAreRunning: () => false });
    const answer = await idle.call('/readyz', undefined, { method: 'GET' });
    expect([answer.status, answer.body.loops]).toEqual([503, 'stopped']);
    await idle.close();
  });

  it('show the API documentation, and redirect to it from the root', async () => {
    const page = await read('/api/docs');
    expect(String(page.headers['content-type'])).toMatch(/^text\/html/);
    expect(page.text).not.toMatch(/(src|href)="https?:/);
    const root = await read('/');
    expect([root.status, root.headers.location]).toEqual([307, '/api/docs']);
    expect((await read('/nosuch')).body).toEqual({ detail: 'Not Found' });
  });
});
