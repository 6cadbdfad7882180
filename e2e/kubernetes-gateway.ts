/** The life of a gateway in a real cluster. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import type { Installation } from '@dstack/testkit';
import { startIngressController } from '@dstack/testkit/ingress-controller';
import type { TestKubernetes } from '@dstack/testkit/kubernetes';
import { copyPrograms } from '@dstack/testkit/program-image';
import { expect, vi } from 'vitest';
import { configuration, isRunning, untilRun } from './installation.ts';
import type { SafeGateway } from './kubernetes/certificates.ts';
import type { OfficialClient } from './official-client/official-client.ts';
import { requestLoad } from './request-load.ts';

const NODE_ADDRESS = 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}';
export const PATIENCE = { timeout: 60_000, interval: 100 };

interface ShownGateway {
  readonly status: string;
  readonly replicas: readonly {
    readonly status: string;
    readonly hostname: string | null;
    readonly status_message: string | null;
  }[];
}

/** nginx of this computer, under the name of the image that gateways have by default. */
export async function giveNginx(cluster: TestKubernetes): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'nginx-'));
  try {
    for (const path of ['etc', 'var/log/nginx', 'run', 'tmp']) {
      mkdirSync(join(dir, path), { recursive: true });
    }
    await copyPrograms(dir, ['/usr/sbin/nginx']);
    const root = 'root:x:0:0:root:/:/bin/false\n';
    writeFileSync(join(dir, 'etc/passwd'), `${root}www-data:x:33:33::/:/bin/false\n`);
    writeFileSync(join(dir, 'etc/group'), 'root:x:0:\nwww-data:x:33:\n');
    await cluster.image('nginx:1.28', dir, {});
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export interface InCluster {
  readonly home: Installation;
  readonly cluster: TestKubernetes;
  /** The service: its commands serve a page at port 8000. */
  readonly service: string;
}

export const showGateway = (home: Installation, name: string) =>
  home.api<ShownGateway>('/api/project/main/gateways/get', { name });

/** Where clients reach it now. */
export async function gatewayAddress(home: Installation, name: string): Promise<string> {
  const { replicas } = await showGateway(home, name);
  return replicas.find(({ status }) => status === 'running')?.hostname ?? '';
}

/** Returns the names of the pods, each as `pod/NAME`. */
export async function gatewayPods(cluster: TestKubernetes, gateway: string): Promise<string[]> {
  const label = ['-l', 'app.kubernetes.io/name=dstack-gateway', '-o', 'name'];
  const names = (await cluster.kubectl('get', 'pods', ...label)).split('\n');
  return names.filter((name) => name.includes(`-${gateway}-`));
}

/**
 * `front` is a service behind it that needs no token. The pod of the other gateway, which has a certificate,
 * ends with those of this one while the server is away.
 */
export async function gatewayInCluster(
  { home, cluster, service }: InCluster,
  startOther: () => Promise<SafeGateway | null>,
): Promise<void> {
  const edge = (replicas: number) =>
    configuration(
      home,
      'edge.dstack.yml',
      `type: gateway\nname: edge\nbackend: kubernetes\nregion: ${cluster.context}\ndomain: '*.pods.test'\ncertificate: null\nreplicas: ${replicas}\nbackend_settings: {kubernetes: {traffic_policy: Cluster}}\n`,
    );
  const show = () => showGateway(home, 'edge');
  expect(await home.ok('apply', '-f', edge(1), '-y')).toContain('running');
  const address = await gatewayAddress(home, 'edge');
  expect(address).toMatch(/^10\.\d+\.0\.1[2-9]\d$/);
  const file = configuration(home, 'front.dstack.yml', service);
  await home.ok('apply', '-f', file, '-y', '-d', '--fleet', 'pods');
  await untilRun(home, 'front', isRunning);
  const ask = (path = '/') => askAt(address, 'front.pods.test', path);
  await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 200 }), PATIENCE);
  const other = await startOther();
  // The other replica has the same address, so a pod may end while requests come.
  expect(await home.ok('apply', '-f', edge(2), '-y')).toContain('running');
  await vi.waitFor(async () => {
    const { replicas } = await show();
    expect(replicas.map(({ status, hostname }) => [status, hostname])).toEqual([
      ['running', address],
      ['running', address],
    ]);
  }, PATIENCE);
  const pods = () => gatewayPods(cluster, 'edge');
  const ready = ['wait', '--for=condition=Ready', '--timeout=60s'];
  await cluster.kubectl(...ready, ...(await pods()));
  const ended = requestLoad(async () => {
    const answer = await ask();
    return answer.status === 200 ? null : answer;
  });
  const [first = ''] = await pods();
  await cluster.kubectl('delete', first);
  await vi.waitFor(async () => expect(await pods()).toHaveLength(2), PATIENCE);
  await cluster.kubectl(...ready, first);
  const { answered, failed } = await ended();
  expect(failed).toEqual([]);
  expect(answered).toBeGreaterThan(0);
  // A new pod has what it needs in its claim: it knows the service without the server.
  await home.stopServer();
  const all = await pods();
  const others = (await other?.pods()) ?? [];
  await cluster.kubectl('delete', '--force', '--grace-period=0', ...all, ...others);
  await vi.waitFor(async () => expect(await pods()).toHaveLength(2), PATIENCE);
  await cluster.kubectl(...ready, ...all);
  // Pods of jobs are reached through the server alone.
  await vi.waitFor(async () => {
    const answer = await ask();
    expect([answer.status, answer.body]).toEqual([502, expect.stringContaining('main/front')]);
  }, PATIENCE);
  // Its account and its certificate are in the claim as well: nothing is requested twice.
  await vi.waitFor(async () => {
    const answer = await other?.ask();
    if (answer) expect([answer.status, answer.certificate]).toEqual([502, other?.certificate]);
  }, PATIENCE);
  // This server brings other programs into pods: others take the places of all pods, one by one.
  delete home.env.DSTACK_KUBERNETES_AGENT_CLAIM;
  await home.startServer();
  // Both pods must have their links to the server again.
  await vi.waitFor(async () => {
    for (let n = 0; n < 10; n++) expect(await ask()).toMatchObject({ status: 200 });
  }, PATIENCE);
  const upgraded = requestLoad(async () => {
    const answer = await ask();
    return answer.status === 200 ? null : answer;
  });
  await vi.waitFor(
    async () => {
      const now = await pods();
      expect(now).toHaveLength(2);
      expect(now.filter((pod) => all.includes(pod))).toEqual([]);
    },
    { ...PATIENCE, timeout: 120_000 },
  );
  expect(await upgraded()).toMatchObject({ failed: [] });
  await vi.waitFor(async () => {
    const answer = await other?.ask();
    if (answer) expect([answer.status, answer.certificate]).toEqual([200, other?.certificate]);
  }, PATIENCE);
  // Each gateway may be given the address that the other one had.
  await cluster.kubectl('delete', 'services', '-l', 'app.kubernetes.io/name=dstack-gateway');
  await vi.waitFor(
    async () => {
      const again = await gatewayAddress(home, 'edge');
      expect(await askAt(again, 'front.pods.test', '/')).toMatchObject({ status: 200 });
      const answer = await other?.askAnew();
      if (answer) expect([answer.status, answer.certificate]).toEqual([200, other?.certificate]);
    },
    { ...PATIENCE, timeout: 90_000 },
  );
  await other?.remove();
  await home.ok('stop', 'front', '-y', '--wait');
}

/** `service` is behind a gateway that clients reach through an Ingress controller alone. */
export async function gatewayByIngress({ home, cluster, service }: InCluster, api: string) {
  const node = cluster.node(1);
  const address = (await cluster.kubectl('get', 'nodes', node, '-o', NODE_ADDRESS)).trim();
  const listening = { api, address, className: 'tested', namespace: node };
  await using _ = await startIngressController(listening);
  const settings = `{service: Ingress, ingress_class: tested, address: ${address}}`;
  const inner = configuration(
    home,
    'inner.dstack.yml',
    `type: gateway\nname: inner\nbackend: kubernetes\nregion: ${cluster.context}\ndomain: '*.inner.test'\ncertificate: null\nbackend_settings: {kubernetes: ${settings}}\n`,
  );
  expect(await home.ok('apply', '-f', inner, '-y')).toContain('running');
  const file = configuration(home, 'plain.dstack.yml', service);
  await home.ok('apply', '-f', file, '-y', '-d', '--fleet', 'pods');
  await untilRun(home, 'plain', isRunning);
  const ask = async (name: string) => await askAt(address, name, '/');
  const page = { status: 200, body: 'page\n', certificate: null };
  await vi.waitFor(async () => expect(await ask('plain.inner.test')).toEqual(page), PATIENCE);
  expect((await ask('plain.other.test')).status).toBe(404);
  const ended = requestLoad(async () => {
    const answer = await ask('plain.inner.test');
    return answer.status === 200 ? null : answer;
  });
  // The controller has other rules twice meanwhile.
  const rules = ['--class=tested', '--default-backend=absent:80', '--rule=other.test/=other:80'];
  await cluster.kubectl('create', 'ingress', 'other', ...rules);
  await cluster.kubectl('delete', 'ingress', 'other');
  const { answered, failed } = await ended();
  expect(failed).toEqual([]);
  expect(answered).toBeGreaterThan(0);
  await home.ok('stop', 'plain', '-y', '--wait');
  await home.ok('delete', '-f', 'inner.dstack.yml', '-y');
  await vi.waitFor(async () => {
    expect(await cluster.kubectl('get', 'ingresses', '-o', 'name')).toBe('');
  }, PATIENCE);
}

/** Shows and deletes the gateway with the official client; the cluster keeps nothing of it. */
export async function gatewaysOfClients(
  { cluster }: Pick<InCluster, 'cluster'>,
  client: OfficialClient,
): Promise<void> {
  expect(await client.ok('gateway', 'list')).toMatch(/edge[\s\S]*kubernetes \(/);
  await client.ok('gateway', 'delete', 'edge', '-y');
  await vi.waitFor(async () => {
    const kinds = 'statefulsets,services,persistentvolumeclaims,secrets,pods';
    expect(await cluster.kubectl('get', kinds, '-o', 'name')).not.toContain('edge');
  }, PATIENCE);
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Fingerprint; null = without TLS. */
  readonly certificate: string | null;
}

/** Over a connection of its own; by TLS if there is a `ca`. */
export function askAt(host: string, name: string, path: string, ca?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host, path, agent: false as const, headers: { host: name }, timeout: 15_000 };
    const onAnswer = (response: IncomingMessage) => {
      const { statusCode: status = 0, socket } = response;
      const isSecure = socket instanceof TLSSocket;
      const certificate = isSecure ? socket.getPeerCertificate().fingerprint256 : null;
      text(response).then((body) => resolve({ status, body, certificate }), reject);
    };
    const sent = ca
      ? secureRequest({ ...options, ca, servername: name }, onAnswer)
      : request(options, onAnswer);
    sent.on('timeout', () => sent.destroy(new Error(`${name} has not answered`)));
    sent.on('error', reject);
    sent.end();
  });
}
