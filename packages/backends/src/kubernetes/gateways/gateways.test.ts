import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { KubernetesGatewaySettings } from '@dstack/contract';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentTunnels } from '../../base/agent-tunnels.ts';
import type { GatewayOrder, GatewayPort } from '../../base/gateway-port.ts';
import { readKubeconfig } from '../api/kubeconfig.ts';
import { Cluster } from '../cluster.ts';
import { clusterGateways } from './gateways.ts';

/** The objects of a pretended API server, by path; it refuses to create the kinds in `forbidden`. */
let objects: Map<string, ApiObject>;
let forbidden: string[];
/** Before an object is deleted. */
let onDelete: (path: string) => Promise<void>;
let server: Server;
let cluster: Cluster;
let gateways: GatewayPort;

const NO_PROGRAMS = { agent: () => Promise.reject(new Error('not built')) };

interface ApiObject {
  metadata: {
    name: string;
    uid?: string;
    creationTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  status?: object;
}

beforeEach(async () => {
  objects = new Map();
  forbidden = [];
  onDelete = async () => {};
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const kubeconfig = {
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'east', context: { cluster: 'c', user: 'u' } }],
  };
  const access = readKubeconfig(JSON.stringify(kubeconfig)).context('east');
  cluster = new Cluster({
    ...{ access, region: 'east', namespace: 'jobs', serverId: 'server', matches: () => true },
  });
  gateways = clusterGateways({
    ...{ clusters: [cluster], tunnels: new AgentTunnels(), deliveries: null, secret: 'secret' },
    ...{ agent: { kind: 'image', image: 'agent:1' }, programs: NO_PROGRAMS },
  });
});
afterEach(() => {
  cluster.close();
  server.closeAllConnections();
  server.close();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://api');
  const send = (status: number, body: unknown) =>
    void response.writeHead(status).end(JSON.stringify(body));
  if (request.method === 'POST') {
    if (forbidden.some((kind) => pathname.endsWith(kind))) {
      return send(403, { reason: 'Forbidden', message: `cannot create ${pathname}` });
    }
    const made = JSON.parse(await text(request)) as ApiObject;
    const path = `${pathname}/${made.metadata.name}`;
    if (objects.has(path)) return send(409, { reason: 'AlreadyExists', message: path });
    made.metadata.uid = `uid-${objects.size}`;
    objects.set(path, made);
    return send(201, made);
  }
  if (request.method === 'DELETE') await onDelete(pathname);
  const found = objects.get(pathname);
  if (request.method === 'DELETE') {
    objects.delete(pathname);
    return found ? send(200, found) : send(404, { message: 'not found' });
  }
  if (found) return send(200, found);
  if (!/(s|events)$/.test(pathname)) return send(404, { message: 'not found' });
  const wanted = (searchParams.get('labelSelector') ?? '').split(',').filter((one) => one !== '');
  const isWanted = ({ metadata: { labels = {} } }: ApiObject) =>
    wanted.every((pair) => labels[pair.split('=')[0] ?? ''] === pair.split('=')[1]);
  const below = [...objects].filter(([path]) => path.startsWith(`${pathname}/`));
  const items = below.map(([, one]) => one).filter(isWanted);
  return send(200, { metadata: {}, items });
}

function order(replica: number, settings: object = {}): GatewayOrder {
  return {
    ...{ key: `gateway.create:${replica}:0`, replicaId: String(replica), region: 'east' },
    owner: { server: 'server', project: 'main', fleet: '', instance: `edge-${replica}` },
    ...{ gateway: { id: 'a0', name: 'edge' }, replicaNum: replica, balancer: null },
    ...{ domain: '*.apps.test', instanceType: null, isPublic: true },
    ...{ authorizedKeys: [], tags: {} },
    settings: { kubernetes: KubernetesGatewaySettings.parse(settings) },
  };
}

const kinds = () => [...objects.keys()].map((path) => path.split('/').at(-2)).sort();
const ofKind = (kind: string) =>
  [...objects].filter(([path]) => path.includes(`/${kind}/`)).map(([, one]) => one);

/** Adds the running pods that the controllers and nodes of a cluster would create. */
function runPods(): void {
  for (const { metadata } of ofKind('statefulsets')) {
    const name = `${metadata.name}-0`;
    objects.set(`/api/v1/namespaces/jobs/pods/${name}`, {
      metadata: { name },
      spec: { nodeName: 'n1' },
      status: { phase: 'Running', containerStatuses: [{ name: 'job', state: { running: {} } }] },
    });
  }
}

describe('gateways in a cluster', () => {
  it('have one address for all replicas, which is waited for with the reason', async () => {
    const first = await gateways.create(order(0));
    expect(await gateways.create(order(0))).toEqual(first);
    const second = await gateways.create(order(1));
    expect(kinds()).toEqual([
      ...['persistentvolumeclaims', 'persistentvolumeclaims', 'secrets', 'secrets'],
      ...['services', 'statefulsets', 'statefulsets'],
    ]);
    expect(await gateways.observe(first)).toMatchObject({
      ...{ state: 'pending', text: expect.stringContaining('is being created') },
    });
    runPods();
    const [service] = ofKind('services');
    objects.set('/api/v1/namespaces/jobs/events/e', {
      metadata: { name: 'e' },
      ...{ reason: 'EnsuringLoadBalancer', message: 'Ensuring load balancer' },
    } as ApiObject);
    expect(await gateways.observe(first)).toMatchObject({
      state: 'pending',
      text: expect.stringMatching(/no address yet \(EnsuringLoadBalancer: .*`service: NodePort`/),
    });
    if (service) service.status = { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } };
    for (const handle of [first, second]) {
      expect(await gateways.observe(handle)).toMatchObject({
        ...{ state: 'ready', access: { kind: 'backend' } },
        machine: { provisioningData: { hostname: 'lb.example' } },
      });
    }
    expect((await gateways.list({ server: 'server' })).map(({ handle }) => handle)).toEqual([
      first,
      second,
    ]);
    expect(gateways.ports?.(first)).toEqual({ http: 80, https: 443 });
  });

  it('leave the address to the other replicas, and nothing after the last one', async () => {
    const handles = [await gateways.create(order(0)), await gateways.create(order(1))];
    for (const [at, handle] of handles.entries()) {
      expect(await gateways.release(handle, { ends: 'gateway' })).toBe('releasing');
      expect(await gateways.release(handle, { ends: 'gateway' })).toBe('released');
      expect(await gateways.observe(handle)).toEqual({ state: 'missing' });
      expect(ofKind('services')).toHaveLength(at === 0 ? 1 : 0);
    }
    expect(ofKind('statefulsets')).toEqual([]);
  });

  it('listen at the ports of the nodes', async () => {
    const settings = { service: 'NodePort', node_ports: { http: 30_080, https: 30_443 } };
    const handle = await gateways.create(order(0, settings));
    expect(gateways.ports?.(handle)).toEqual({ http: 30_080, https: 30_443 });
    expect(ofKind('services')[0]?.spec).toMatchObject({
      ...{ type: 'NodePort', externalTrafficPolicy: 'Cluster' },
      ports: [{ nodePort: 30_080 }, { nodePort: 30_443 }],
    });
    runPods();
    objects.set('/api/v1/nodes/n1', {
      metadata: { name: 'n1' },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
      },
    });
    const address = { machine: { provisioningData: { hostname: '10.0.0.1' } } };
    expect(await gateways.observe(handle)).toMatchObject({ state: 'ready', ...address });
  });

  it('are reached through an Ingress of their domain', async () => {
    const handle = await gateways.create(
      order(0, { service: 'Ingress', ingress_class: 'traefik', annotations: { a: 'b' } }),
    );
    expect(ofKind('services')[0]?.spec).toMatchObject({ type: 'ClusterIP' });
    expect(ofKind('ingresses')[0]).toMatchObject({
      metadata: { annotations: { a: 'b' } },
      spec: { ingressClassName: 'traefik', rules: [{ host: '*.apps.test' }] },
    });
    await gateways.release(handle, { ends: 'gateway' });
    await gateways.release(handle, { ends: 'gateway' });
    expect(ofKind('ingresses')).toEqual([]);
  });

  it('get back the objects that all replicas share', async () => {
    const settings = { service: 'Ingress', ingress_class: 'traefik' };
    const handle = await gateways.create(order(0, settings));
    runPods();
    for (const path of objects.keys()) if (/services|ingresses/.test(path)) objects.delete(path);
    expect(await gateways.maintain?.(handle, order(0, settings))).toEqual({
      ...{ outdated: null, unreachable: expect.stringContaining('-0 is not ready') },
    });
    expect(kinds()).toEqual(expect.arrayContaining(['ingresses', 'services']));
    await gateways.release(handle, { ends: 'gateway' });
    await gateways.release(handle, { ends: 'gateway' });
    // By a server that has not seen yet that it has ended.
    await gateways.maintain?.(handle, order(0, settings));
    expect(kinds()).toEqual(['pods', 'persistentvolumeclaims', 'secrets'].sort());
  });

  it('get their Secret back, once the node of their pod reports that it is missing', async () => {
    const handle = await gateways.create(order(0));
    runPods();
    const [secret] = ofKind('secrets');
    for (const path of objects.keys()) if (path.includes('/secrets/')) objects.delete(path);
    await gateways.maintain?.(handle, order(0));
    expect(ofKind('secrets')).toEqual([]);
    objects.set('/api/v1/namespaces/jobs/events/e', {
      ...{ metadata: { name: 'e' }, reason: 'FailedMount' },
      message: `MountVolume.SetUp failed for volume "token" : secret "${handle.id}-agent" not found`,
    } as ApiObject);
    await gateways.maintain?.(handle, order(0));
    const { uid: _, ...metadata } = secret?.metadata ?? { name: '' };
    expect(ofKind('secrets')).toEqual([{ ...secret, metadata: expect.objectContaining(metadata) }]);
  });

  it('get their Service back if one is made while the last other one ends', async () => {
    const last = await gateways.create(order(0));
    await gateways.release(last, { ends: 'gateway' });
    // Between the look at the other replicas and the deletion of the Service.
    const next = Promise.withResolvers<Awaited<ReturnType<GatewayPort['create']>>>();
    onDelete = async (path) => {
      if (!path.includes('/services/')) return;
      onDelete = async () => {};
      next.resolve(await gateways.create(order(1)));
    };
    expect(await gateways.release(last, { ends: 'gateway' })).toBe('released');
    expect(ofKind('services')).toHaveLength(0);
    await gateways.maintain?.(await next.promise, order(1));
    expect(ofKind('services')).toHaveLength(1);
  });

  it('are outdated once a server that started later has other programs', async () => {
    const handle = await gateways.create(order(0));
    const later = { kind: 'image', image: 'agent:2' } as const;
    const options = { clusters: [cluster], tunnels: new AgentTunnels(), secret: 'secret' };
    const newer = clusterGateways({
      ...options,
      ...{ deliveries: null, agent: later, programs: NO_PROGRAMS },
    });
    const isOutdated = async (port: GatewayPort) =>
      ((await port.maintain?.(handle, order(0)))?.outdated ?? null) !== null;
    expect([await isOutdated(gateways), await isOutdated(newer)]).toEqual([false, true]);
    const [set] = ofKind('statefulsets');
    const annotations = set?.metadata.annotations ?? {};
    const build = JSON.parse(annotations['k8s.dstack.ai/gateway-build'] ?? '');
    build.serverStart = performance.timeOrigin + 60_000;
    annotations['k8s.dstack.ai/gateway-build'] = JSON.stringify(build);
    expect(await isOutdated(newer)).toBe(false);
    // Made by a server that wrote none.
    delete annotations['k8s.dstack.ai/gateway-build'];
    expect(await isOutdated(gateways)).toBe(true);
  });

  it('report why the cluster makes no pod', async () => {
    const handle = await gateways.create(order(0));
    objects.set('/api/v1/namespaces/jobs/events/e', {
      metadata: { name: 'e' },
      ...{ reason: 'FailedCreate', message: 'exceeded quota: few' },
    } as ApiObject);
    expect(await gateways.observe(handle)).toMatchObject({
      ...{
        state: 'pending',
        text: expect.stringMatching(/cannot be created: exceeded quota: few/),
      },
    });
  });

  it('wait with the reason for what their pod needs and does not exist yet, unless that cannot come', async () => {
    const handle = await gateways.create(order(0));
    runPods();
    const [pod] = ofKind('pods');
    const message = 'failed to prepare subPath for volumeMount "state"';
    const waiting = (reason: string) => ({
      phase: 'Pending',
      containerStatuses: [{ name: 'job', state: { waiting: { reason, message } } }],
    });
    if (pod) {
      pod.metadata.creationTimestamp = '2026-01-01T00:00:00Z';
      pod.status = waiting('CreateContainerConfigError');
    }
    expect(await gateways.observe(handle)).toEqual({
      state: 'pending',
      text: expect.stringMatching(/CreateContainerConfigError.*-0: failed to prepare subPath/),
    });
    const lacking = 'persistentvolumeclaim "state" not found';
    const unscheduled = { type: 'PodScheduled', status: 'False', message: lacking };
    if (pod) {
      pod.spec = {};
      pod.status = { phase: 'Pending', conditions: [unscheduled] };
    }
    expect(await gateways.observe(handle)).toMatchObject({ state: 'pending' });
    if (pod) pod.spec = { nodeName: 'n1' };
    if (pod) pod.status = waiting('InvalidImageName');
    expect(await gateways.observe(handle)).toMatchObject({ state: 'interrupted' });
  });

  it('are refused with the missing right, and nothing is left', async () => {
    forbidden = ['services'];
    await expect(gateways.create(order(0))).rejects.toThrow(/services: .*server-rbac\.yaml/);
    expect(ofKind('statefulsets')).toEqual([]);
  });
});
