/** The dashboard and the alert rules of `deploy/grafana` only use what `/metrics` really has. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Change } from '@dstack/core';
import { provisioningDataFor } from '@dstack/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runningGateway } from '../http/gateways/testing/running-gateway.ts';
import { LOCAL_OFFER } from '../http/testing/offers.ts';
import { ProxiedServices } from '../http/testing/proxied-services.ts';
import { ServerMetrics } from './server-metrics.ts';

const folder = join(import.meta.dirname, '../../../../deploy/grafana');
const read = (name: string) => readFileSync(join(folder, name), 'utf8');

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}
interface Dashboard {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly definition?: string }[];
  };
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

const dashboard = JSON.parse(read('dashboard.json')) as Dashboard;
const { groups } = parse(read('alerts.yml')) as { groups: { rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

const queries = [
  ...dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => [`panel ${title} ${refId}`, expr] as const),
  ),
  ...dashboard.templating.list.flatMap(({ name, definition }) =>
    definition === undefined ? [] : [[`variable ${name}`, definition] as const],
  ),
  ...rules.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
];

/** Labels that Prometheus or a histogram adds. */
const ADDED = ['instance', 'le', '__name__'];

/** The labels of each metric of the text, by name. */
function labelsIn(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of text.matchAll(/^(dstack_\w+)(?:\{(.*)\})? [^ ]+$/gm)) {
    const known = found.get(name) ?? new Set<string>();
    found.set(name, known);
    for (const [, label = ''] of labels.matchAll(/(?:^|,)(\w+)="/g)) known.add(label);
  }
  return found;
}

function metricsIn(expr: string): string[] {
  const named = [...expr.matchAll(/__name__=~"([^"]*)"/g)].map(([, names = '']) => names);
  const bare = expr
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\bby \([^)]*\)/g, '')
    .replaceAll(/, \w+\)$/g, ')');
  const found = [bare, ...named].join(' ').matchAll(/dstack_\w+/g);
  return [...new Set([...found].map(([name]) => name))];
}

/** Labels by which a query selects, groups, or that its answer is shown with. */
function labelsOf(expr: string): string[] {
  const selected = [...expr.matchAll(/(\w+) *(?:=~|!~|!=|=) *"/g)].map(([, label]) => label ?? '');
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(',').map((label) => label.trim()),
  );
  return [...new Set([...selected, ...grouped])];
}

let proxy: ProxiedServices;
let metrics: Map<string, Set<string>>;

/** An app whose answers are those of a model. */
const app = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
  response.end('data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n');
});

beforeAll(async () => {
  proxy = await ProxiedServices.start();
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const { port } = app.address() as AddressInfo;
  const model = { name: 'llama', format: 'openai', prefix: '/v1' };
  const { jobs } = await proxy.service('llama', { model }, [port]);
  const headers = { 'content-type': 'application/json' };
  const request = { method: 'POST', body: '{"model":"llama"}', headers };
  await (await proxy.get('llama/v1/chat/completions', request)).text();
  const { server } = proxy;
  metrics = labelsIn(await textOf(server, jobs[0]?.id ?? ''));
});
afterAll(async () => {
  await proxy.close();
  app.closeAllConnections();
  app.close();
});

/** `/metrics` of a server that has something of everything. */
async function textOf(server: ProxiedServices['server'], jobId: string): Promise<string> {
  const { store } = server;
  const now = server.deps.context().now;
  const projectId = (await store.projects.byName('main'))?.id ?? '';
  const all = new ServerMetrics({
    ...{ store, now: () => now, onError: () => {}, clockLead: () => 0 },
    depths: () => ({ run: { waiting: 1, running: 0, delayed: 0 } }) as never,
    services: () => server.services.states(),
  });
  const job = (await store.jobs.byId(jobId))?.job;
  const provisioningData = provisioningDataFor(LOCAL_OFFER);
  const set = { provisioningData, provisionedAt: now };
  const change: Change = { type: 'job.update', id: jobId, version: job?.version ?? 0, set };
  await store.engine.apply([change]);
  const point = {
    ...{ timestamp_micro: now, cpu_usage_micro: 1, memory_usage_bytes: 1 },
    ...{ memory_working_set_bytes: 1, gpus: [{ memory_usage_bytes: 1, util_percent: 5 }] },
  };
  await store.metrics.addJobPoints([{ jobId, metrics: point }]);
  const gatewayId = await runningGateway(server, 'edge');
  const [replica] = await store.gateways.replicas(gatewayId);
  await store.gateways.saveReport(
    {
      ...{ replicaId: replica?.id ?? '', state: 'ready', text: null, hostname: null },
      ...{ version: '1', outdated: null, updatedAt: now },
      certificates: [
        {
          ...{ domain: 'web.test', source: 'acme', state: 'valid', message: null },
          ...{ expiresAt: now, renewsAt: null },
        },
      ],
    },
    gatewayId,
  );
  await store.sweeps.save({
    sweep: {
      ...{ projectId, backend: 'aws', sweptAt: now, nextAt: now, failures: 0, error: null },
      ...{ nonces: [], hindrance: null },
    },
    orphans: [
      {
        ...{ id: crypto.randomUUID(), projectId, backend: 'aws', kind: 'instance', region: null },
        ...{ handle: { id: 'i-1', data: null }, owner: { project: '', fleet: '', instance: '' } },
        ...{ key: null, firstSeenAt: now, lastSeenAt: now, reportedAt: now },
        ...{ endRequestedAt: null, error: null },
      },
    ],
  });
  all.gatewayMessageRefused({ name: 'edge', project: 'main' }, 'figures');
  all.passEnded('run', 'done', 0.1);
  all.showOpenFiles({ open: 1, limit: 2 });
  all.applied([change]);
  // The observation of the change reads the database.
  for (;;) {
    const text = await all.text();
    if (text.includes('dstack_submit_to_provision_duration_seconds_bucket{')) return text;
  }
}

describe('the dashboard and the alerts', () => {
  it.each(queries)('%s asks for metrics and labels that the server has', (_name, expr) => {
    const names = metricsIn(expr);
    expect(names.length).toBeGreaterThan(0);
    const known = new Set(ADDED);
    for (const name of names) {
      expect([...metrics.keys()]).toContain(name);
      for (const label of metrics.get(name) ?? []) known.add(label);
    }
    for (const label of labelsOf(expr)) expect([...known]).toContain(label);
  });

  it('rates are taken of counters alone, and of all their buckets', () => {
    for (const [, expr] of queries) {
      for (const [, name = ''] of expr.matchAll(/\b(?:rate|increase)\((\w+)/g)) {
        expect(name).toMatch(/_(total|bucket|sum|count)$/);
      }
      for (const [, args = ''] of expr.matchAll(/histogram_quantile\((.*)/gs)) {
        expect(args).toMatch(/by \([^)]*\ble\b[^)]*\)/);
        expect(args).toContain('_bucket');
      }
    }
  });

  it('the panels have ids of their own and do not overlap, and every variable exists', () => {
    const { panels, templating } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { gridPos, type, targets = [] } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      if (type !== 'row') expect(targets.length).toBeGreaterThan(0);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x} ${y}`)).toBe(false);
          taken.add(`${x} ${y}`);
        }
      }
    }
    const variables = ['__rate_interval', '__all', ...templating.list.map(({ name }) => name)];
    for (const [, name] of JSON.stringify(dashboard).matchAll(/\$\{?(\w+)/g)) {
      expect(variables).toContain(name);
    }
  });

  it('each alert names the problem in one line, by labels that it has, and a next step', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { expr, labels, annotations } of rules) {
      expect(['warning', 'critical']).toContain(labels.severity);
      expect(annotations.summary).not.toContain('\n');
      const grouped = labelsOf(expr);
      const own = metricsIn(expr).flatMap((name) => [...(metrics.get(name) ?? [])]);
      const isGrouped = /\bby \(/.test(expr);
      const texts = annotations.summary + annotations.description;
      for (const [, label = ''] of texts.matchAll(/\$labels\.(\w+)/g)) {
        expect(isGrouped ? grouped : [...own, ...ADDED]).toContain(label);
      }
    }
  });
});
