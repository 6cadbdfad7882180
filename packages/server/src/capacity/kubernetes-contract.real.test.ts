import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { AgentPrograms, GatewayOrder } from '@dstack/backends';
import { openKubernetes } from '@dstack/backends/kubernetes';
import {
  type BackendWorld,
  describeBackend,
  newOrder,
  OTHER_SERVER,
  OUR_SERVER,
  REQUIREMENTS,
  withContainer,
} from '@dstack/backends/testing';
import { KubernetesGatewaySettings } from '@dstack/contract';
import { Requirements } from '@dstack/contract/wire';
import { CLAIM_WATCH, CONFIRM_AFTER, requirementsMatch } from '@dstack/core';
import {
  kubernetesMissing,
  startKubernetes,
  type TestKubernetes,
} from '@dstack/testkit/kubernetes';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startTestServer } from '../http/testing/test-server.ts';
import { orphanSweeper } from '../sweep/testing/orphan-sweeper.ts';

const missing = kubernetesMissing();
if (missing) console.warn(`The Kubernetes backend is NOT tested: ${missing} is missing`);

const BUILD_MS = 20 * 60_000;
const REQUIRED = Requirements.parse({
  resources: { cpu: '0..', memory: '0..', disk: null, gpu: null },
});

let cluster: TestKubernetes;
let programs: AgentPrograms;
let worlds = 0;

describe.skipIf(missing !== null && !process.env.CI)('a real cluster', { timeout: 180_000 }, () => {
  beforeAll(async () => {
    cluster = await startKubernetes({
      ...{ prefix: 'tr', network: 225, nodes: 1, sizes: '32:256' },
    });
    programs = sleepingPrograms();
  }, BUILD_MS);
  afterAll(async () => await cluster?.[Symbol.asyncDispose](), BUILD_MS);

  describeBackend('Kubernetes', world, ['lost answers', 'groups', 'gateways']);

  it('keeps the newest claim of each installation, with the time of the cluster', async () => {
    const { backend, close } = await world();
    const owner = { server: OUR_SERVER };
    const { claims } = backend;
    await claims?.renew(owner, { claimant: 'a', nonce: '1' });
    await claims?.renew(owner, { claimant: 'b', nonce: '2' });
    await claims?.renew(owner, { claimant: 'a', nonce: '3' });
    const found = (await claims?.read(owner)) ?? [];
    expect(found.map(({ claimant, nonce }) => claimant + nonce).sort()).toEqual(['a3', 'b2']);
    for (const { renewedAt } of found) expect(renewedAt).toBeGreaterThan(YEAR_2020);
    expect(await claims?.read({ server: 'another' })).toEqual([]);
    await close();
  });

  it('is swept of pods without a record, and keeps those of others and of users', async () => {
    const { backend, namespace, order, close } = await world();
    const server = await startTestServer();
    onTestFinished(async () => {
      await server.close();
      await close();
    });
    const kubectl = (...args: readonly string[]) => cluster.kubectl('-n', namespace, ...args);
    // Not those that end.
    const kept = '{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}';
    const template = `go-template={{range .items}}${kept}{{end}}`;
    const list = async () =>
      (await kubectl('get', 'pods,secrets', '-o', template)).split(' ').filter(Boolean).sort();
    const orphan = await backend.instances?.create(await order(OUR_SERVER));
    const other = await backend.instances?.create(await order(OTHER_SERVER));
    // A person's own pods: one is a copy of ours, with its labels and annotations.
    await kubectl('run', 'train', '--image=busybox:1', '--restart=Never', '--', 'sleep', '1000');
    await createCopy(namespace, orphan?.handle.id ?? '', 'dstack-main-train-copy');
    const before = await list();
    const clock = { now: Date.now() * 1000 };
    const sweeper = await orphanSweeper(server, { backend, type: 'kubernetes', clock });
    onTestFinished(() => sweeper.close());
    for (const time of [0, CONFIRM_AFTER, CLAIM_WATCH]) {
      expect(await list()).toEqual(before);
      clock.now += time;
      await sweeper.sweep();
    }
    const isOurs = (name: string) => name.includes(orphan?.handle.id ?? '?');
    expect(before.filter(isOurs)).toHaveLength(2);
    await vi.waitFor(
      async () => {
        // Hourly sweeps do the same.
        clock.now += CLAIM_WATCH;
        await sweeper.sweep();
        expect(await list()).toEqual(before.filter((name) => !isOurs(name)));
      },
      { timeout: 60_000, interval: 200 },
    );
    expect(before.join()).toContain(other?.handle.id);
  });

  it.each([
    ['service', { service: 'NodePort', node_ports: { http: 30_080, https: 30_443 } }],
    ['ingress', { service: 'Ingress', ingress_class: 'test', address: '192.0.2.1' }],
  ] as const)('takes the %s of a gateway, and makes it again', async (kind, settings) => {
    const { backend, namespace, close } = await world();
    onTestFinished(close);
    const { gateways } = backend;
    if (gateways === undefined) throw new Error('it has no gateways');
    const { key, ...order } = gatewayOrder(settings);
    const handle = await gateways.create({ key, ...order });
    const find = async () => {
      const found = await cluster.kubectl('-n', namespace, 'get', kind, '-o', 'json');
      return (JSON.parse(found) as { items: { spec: object }[] }).items.map(({ spec }) => spec);
    };
    const http = { paths: [{ backend: { service: { port: { name: 'http' } } } }] };
    const expected = {
      service: { type: 'NodePort', ports: [{ nodePort: 30_080 }, { nodePort: 30_443 }] },
      ingress: { ingressClassName: 'test', rules: [{ host: '*.apps.test', http }] },
    };
    expect(await find()).toMatchObject([expected[kind]]);
    await cluster.kubectl('-n', namespace, 'delete', kind, '--all');
    await gateways.maintain?.(handle, order);
    expect(await find()).toMatchObject([expected[kind]]);
    while ((await gateways.release(handle, { ends: 'gateway' })) !== 'released') await delay(50);
    expect(await find()).toEqual([]);
  });

  it('names what a cluster lacks that cannot mount the image of the agent', async () => {
    const kubeconfig = readFileSync(cluster.kubeconfig, 'utf8');
    const { backend, close } = open(kubeconfig, 'default', 'agent:1');
    const failed = (await backend.check()).filter(({ ok }) => !ok);
    close();
    expect(failed.map(({ problem }) => problem)).toEqual([
      expect.stringContaining('or by the feature gate ImageVolume): leave DSTACK_KUBERNETES_AGENT'),
    ]);
  });

  it('names each permission that is missing, by the rights of the manifest', async () => {
    const manifest = resolve(import.meta.dirname, '../../../../deploy/kubernetes/server-rbac.yaml');
    await cluster.kubectl('apply', '-f', manifest);
    const token = await cluster.kubectl('-n', 'dstack', 'create', 'token', 'dstack-server');
    const kubeconfig = readFileSync(cluster.kubeconfig, 'utf8')
      .replace(/client-certificate-data: .*/, `token: ${token.trim()}`)
      .replace(/client-key-data: .*/, '');
    const { backend, close } = open(kubeconfig, 'dstack-jobs');
    try {
      const granted = await backend.check();
      expect(granted.filter(({ ok }) => !ok)).toEqual([]);
      for (const kind of ['clusterrole', 'role'] as const) {
        const args = ['-n', 'dstack-jobs', 'get', kind, 'dstack-server', '-o', 'json'];
        const role = JSON.parse(await cluster.kubectl(...args)) as Role;
        for (const [at, { resources, verbs }] of role.rules.entries()) {
          for (const verb of verbs) {
            // The role of the whole cluster grants it as well.
            if (kind === 'role' && resources[0] === 'pods' && ['list', 'watch'].includes(verb))
              continue;
            const left = verbs.filter((one) => one !== verb);
            const rules = role.rules.map((rule, i) => (i === at ? { ...rule, verbs: left } : rule));
            await patch(kind, left.length > 0 ? rules : rules.filter((_, i) => i !== at));
            const lost = await untilLost(backend.check);
            expect(lost).toHaveLength(1);
            expect(lost[0]).toContain(`${verb} ${resources[0]} `);
          }
        }
        await patch(kind, role.rules);
        while ((await backend.check()).some(({ ok }) => !ok)) await delay(20);
      }
    } finally {
      close();
    }
  });
});

interface Role {
  readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: string[] }[];
}

async function patch(kind: string, rules: Role['rules']): Promise<void> {
  const body = JSON.stringify({ rules });
  await cluster.kubectl(
    '-n',
    'dstack-jobs',
    'patch',
    kind,
    'dstack-server',
    '--type=merge',
    '-p',
    body,
  );
}

/** A change of a role has its effect a moment later; the one before it may still be seen. */
async function untilLost(check: ReturnType<typeof open>['backend']['check']): Promise<string[]> {
  for (let before = ''; ; ) {
    await delay(50);
    const lost = (await check()).filter(({ ok }) => !ok).map(({ problem }) => problem ?? '');
    if (lost.length === 1 && lost[0] === before) return lost;
    before = lost.length === 1 ? (lost[0] ?? '') : '';
  }
}

function gatewayOrder(settings: object): GatewayOrder {
  return {
    ...{ key: 'gateway.create:r:0', replicaId: 'r', region: '' },
    owner: { server: OUR_SERVER, project: 'main', fleet: '', instance: 'edge-0' },
    ...{ gateway: { id: 'a0', name: 'edge' }, replicaNum: 0, balancer: null },
    ...{ domain: '*.apps.test', instanceType: null, isPublic: true },
    ...{ authorizedKeys: [], tags: {} },
    settings: { kubernetes: KubernetesGatewaySettings.parse(settings) },
  };
}

function open(data: string, namespace: string, agentVolumeOf: string | null = null) {
  return openKubernetes({
    config: {
      ...{ type: 'kubernetes', contexts: null, proxy_jump: null, namespace },
      kubeconfig: { filename: '', data },
    },
    ...{
      serverId: OUR_SERVER,
      secret: 'secret',
      agentImage: agentVolumeOf,
      mountsAgentImage: agentVolumeOf !== null,
      agentClaim: null,
      programs,
    },
    matches: requirementsMatch,
    ...{ scheduleSeconds: 10, scaleUpSeconds: 60 },
  });
}

/** In microseconds. */
const YEAR_2020 = Date.parse('2020-01-01T00:00:00Z') * 1000;

/** In a namespace of its own, so that no world sees the pods of another one. */
async function world(): Promise<BackendWorld & { readonly namespace: string }> {
  const namespace = `world-${worlds++}`;
  await cluster.kubectl('create', 'namespace', namespace);
  const { backend, close } = open(readFileSync(cluster.kubeconfig, 'utf8'), namespace);
  const kubectl = (...args: readonly string[]) => cluster.kubectl('-n', namespace, ...args);
  const pods = async () => {
    const text = await kubectl('get', 'pods', '-o', 'name');
    return text.split('\n').filter((line) => line !== '');
  };
  const settle = async () => {
    for (;;) {
      const phases = await kubectl(
        'get',
        'pods',
        '-o',
        'jsonpath={range .items[*]}{.status.phase}{" "}{.metadata.deletionTimestamp}{"\\n"}{end}',
      );
      const lines = phases.split('\n').filter((line) => line !== '');
      const states = await Promise.all(
        (await pods()).map((name) => observe(name.replace('pod/', ''))),
      );
      if (lines.every((line) => line === 'Running ') && !states.includes('pending')) return;
      await delay(50);
    }
  };
  const observe = async (id: string) =>
    (await backend.instances?.observe({ id, data: null }, { facts: null }))?.state;
  const claim = claimFile();
  await kubectl('create', '-f', claim);
  rmSync(dirname(claim), { recursive: true });
  return {
    ...{ namespace, backend, settle, calls: null, userVolume: { id: 'mine', region: '' } },
    requirements: { met: REQUIRED, unmet: REQUIREMENTS.unmet },
    order: async (server) => {
      const [offer = null] = (await backend.offers(REQUIRED)).offers;
      return withContainer(newOrder(offer, server));
    },
    facts: async () => null,
    machines: async () => (await pods()).length,
    vanish: async ({ id }) =>
      void (await kubectl('delete', 'pod', id, '--force', '--grace-period=0')),
    close: async () => {
      close();
      await cluster.kubectl('delete', 'namespace', namespace, '--wait=false');
    },
  };
}

/** Copies a pod like `kubectl get -o json`, an editor and `kubectl create`. */
async function createCopy(namespace: string, pod: string, name: string): Promise<void> {
  const text = await cluster.kubectl('-n', namespace, 'get', 'pod', pod, '-o', 'json');
  const { apiVersion, kind, metadata } = JSON.parse(text) as {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly labels: object; readonly annotations: object };
  };
  const { labels, annotations } = metadata;
  const containers = [{ name: 'job', image: 'busybox:1', command: ['sleep', '1000'] }];
  const copy = { apiVersion, kind, metadata: { name, labels, annotations }, spec: { containers } };
  const file = objectFile(copy);
  await cluster.kubectl('-n', namespace, 'create', '-f', file);
  rmSync(dirname(file), { recursive: true });
}

function claimFile(): string {
  const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  const head = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'mine' } };
  return objectFile({ ...head, spec });
}

/** Alone in a folder of its own. */
function objectFile(object: object): string {
  const path = join(mkdtempSync(join(tmpdir(), 'object-')), 'object.json');
  writeFileSync(path, JSON.stringify(object));
  return path;
}

/** In place of Node and the agent: the loader that starts them is a script that only waits. */
function sleepingPrograms(): AgentPrograms {
  const dir = mkdtempSync(join(tmpdir(), 'programs-'));
  const name = 'ld-linux-x86-64.so.2';
  writeFileSync(join(dir, name), '#!/bin/sh\nexec sleep 3600\n', { mode: 0o755 });
  const tar = execFileSync('tar', ['-C', dir, '-cf', '-', name]);
  rmSync(dir, { recursive: true });
  const program = async (bytes: Buffer) => {
    const packed = gzipSync(bytes);
    return { name: 'fake', size: packed.length, open: () => Readable.from([packed]) };
  };
  return {
    node: () => program(Buffer.from('node')),
    libraries: () => program(tar),
    agent: () => program(tar),
  };
}
