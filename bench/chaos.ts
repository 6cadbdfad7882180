/**
 * A service on three hosts behind a gateway on the first of them, under load by TLS while something is killed, cut off,
 * paused, upgraded or renewed. Each request is a connection of its own. Counts failed requests, apart from those whose
 * answer had begun. `chaos:50000` are that many requests over all faults together.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Installation } from '@dstack/testkit';
import { type Authority, startAuthority } from '@dstack/testkit/certificate-authority';
import { hostsMissing, startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { newerBuild } from '../e2e/newer-build.ts';
import { freePort } from '../e2e/serving.ts';
import { installation } from './installation.ts';
import { print } from './measure.ts';
import { applySshFleet, submit } from './runs.ts';

const REQUESTS = '50000';
const CLIENTS = 8;
/** One on each host. */
const REPLICAS = 3;
const IMAGE = 'busybox:test';
const NAME = 'web.apps.test';
/** Milliseconds for which a link is cut and a process is paused. */
const AWAY_MS = 5000;
/** Longer than any of the product's own limits of a request. */
const PATIENCE_MS = 120_000;
/** So that certificates are renewed after half a minute. */
const VALID_SECONDS = 45;

interface World {
  readonly home: Installation;
  readonly hosts: readonly [TestHost, TestHost, TestHost];
  readonly ca: string;
}

type Fault = (world: World) => Promise<void>;

export async function chaos(argument = REQUESTS): Promise<void> {
  const missing = hostsMissing();
  if (missing !== null) {
    print({ name: 'chaos', unit: '-', skipped: `${missing} is missing` });
    return;
  }
  const machines = await startHosts({ count: REPLICAS });
  let authority: Authority | null = null;
  let home: Installation | null = null;
  try {
    const ports = { http: 80, https: 443, acme: await freePort(), dns: await freePort() };
    const reached = { host: machines.gateway, validSeconds: VALID_SECONDS };
    authority = await startAuthority(ports, reached);
    await machines.busybox(IMAGE);
    home = installation({
      DSTACK_LOCAL_PROJECTS: 'none',
      DSTACK_GATEWAY_DNS: `${machines.gateway}:${ports.dns}`,
      DSTACK_ACME_SERVER: `https://${machines.gateway}:${ports.acme}/dir`,
      DSTACK_ACME_CA_FILE: authority.ca,
      ...authority.account,
    });
    const world = await startWorld(home, machines, authority);
    await faultsOf(world, Number(argument));
  } finally {
    await home?.ok('gateway', 'delete', 'edge', '-y', '--force').catch(() => {});
    await home?.dispose();
    machines.close();
    await authority?.stop();
  }
}

async function startWorld(
  home: Installation,
  machines: TestHosts,
  authority: Authority,
): Promise<World> {
  await home.startServer();
  const hosts = machines.hosts as readonly [TestHost, TestHost, TestHost];
  const addresses = hosts.map(({ address }) => ({ hostname: address }));
  await applySshFleet(home, 'pool', machines.privateKey, addresses, 1);
  await authority.setAddress(hosts[0].address);
  const yaml =
    "type: gateway\nname: edge\nbackend: remote\nregion: pool\ninstance_type: pool-0\ndomain: '*.apps.test'\ncertificate: {type: lets-encrypt}\n";
  writeFileSync(join(home.home, 'edge.yml'), yaml);
  await home.ok('apply', '-f', 'edge.yml', '-y');
  await submit(home, 'web', {
    ...{
      type: 'service',
      image: IMAGE,
      port: 8000,
      replicas: REPLICAS,
      fleets: ['pool'],
      retry: true,
    },
    probes: [{ type: 'http', url: '/index.html', interval: '1s' }],
    commands: ['mkdir www; echo hello > www/index.html', 'exec httpd -f -p 8000 -h www'],
    resources: { gpu: 0, cpu: '1..', memory: '512MB..', disk: '1GB..' },
  });
  const world = { home, hosts, ca: await authority.roots() };
  while ((await ask(world)) !== null) await delay(100);
  await untilReplicas(world);
  return world;
}

/** Resolves when all three replicas are ready again. */
async function untilReplicas({ home }: World): Promise<void> {
  for (;;) {
    const { stdout } = await home.dstack(['service', 'web', '--json']);
    const shown = stdout === '' ? null : (JSON.parse(stdout) as Shown);
    const ready = shown?.replicas?.filter(({ state }) => state === 'ready') ?? [];
    if (ready.length === REPLICAS) return;
    await delay(250);
  }
}

interface Shown {
  readonly replicas?: readonly { readonly state: string }[];
}

/** Kills by the command line; the shell that runs this has another one. */
const kill = (host: TestHost, pattern: string, signal = 'KILL') =>
  host.exec(`pkill -${signal} -o -f '${pattern}' || true`);

const pause = async (host: TestHost, pattern: string) => {
  await kill(host, pattern, 'STOP');
  await delay(AWAY_MS);
  await kill(host, pattern, 'CONT');
};

const GATEWAY = '[a]gent/gateway.js';
const WORKER = '[a]gent/gateway-worker.js';
const AGENT = '[a]gent/main.js';

const FAULTS: Readonly<Record<string, Fault>> = {
  'kill -9 of the server': async ({ home }) => {
    await home.stopServer('SIGKILL');
    await home.startServer();
  },
  'kill -9 of the program of the gateway': async ({ hosts }) =>
    void (await kill(hosts[0], GATEWAY)),
  'kill -9 of a worker of the gateway': async ({ hosts }) => void (await kill(hosts[0], WORKER)),
  "kill -9 of the agent of the gateway's host": async ({ hosts }) =>
    void (await kill(hosts[0], AGENT)),
  'kill -9 of the agent of another host': async ({ hosts }) => void (await kill(hosts[1], AGENT)),
  'kill -9 of a replica': async ({ hosts }) => void (await kill(hosts[1], '[h]ttpd -f -p 8000')),
  'cut link of a host with a replica': async ({ hosts }) => {
    hosts[2].cut();
    await delay(AWAY_MS);
    hosts[2].restore();
  },
  'pause of the server': async ({ home }) => await home.whileHeld(() => delay(AWAY_MS)),
  'pause of the program of the gateway': async ({ hosts }) => await pause(hosts[0], GATEWAY),
  "pause of the agent of the gateway's host": async ({ hosts }) => await pause(hosts[0], AGENT),
  'pause of the agent of another host': async ({ hosts }) => await pause(hosts[1], AGENT),
  'upgrade of server, agents and gateway, and back': async ({ home }) => {
    const newer = newerBuild();
    try {
      await home.stopServer();
      const later = new Installation({ dstack: join(newer, 'bin', 'dstack'), env: home.env });
      await later.startServer();
      await delay(2 * AWAY_MS);
      await later.stopServer();
    } finally {
      rmSync(newer, { recursive: true, force: true });
    }
    await home.startServer();
  },
  'renewal of the certificate': async () => await delay(VALID_SECONDS * 1000),
};

async function faultsOf(world: World, requests: number): Promise<void> {
  const share = Math.ceil(requests / Object.keys(FAULTS).length);
  let [answered, failed] = [0, 0];
  for (const [name, fault] of Object.entries(FAULTS)) {
    const load = startLoad(world);
    await fault(world);
    while (load.counts.answered < share) await delay(50);
    await untilReplicas(world);
    const counts = await load.end();
    const why = [...new Set(counts.failed)].join(', ') || null;
    answered += counts.answered;
    failed += counts.failed.length;
    print({
      ...{ name: `chaos: ${name}`, unit: 'requests', answered: counts.answered },
      ...{ failed: counts.failed.length, 'broken answers': counts.broken },
      ...{ 'longest ms': Math.round(counts.longest), why },
    });
  }
  print({ name: 'chaos: all', unit: 'requests', answered, failed });
}

/** The replica of such an answer has died. */
const BROKEN = 'broken answer';

function startLoad(world: World) {
  const counts = { answered: 0, broken: 0, failed: [] as string[], longest: 0 };
  let isOver = false;
  const loops = Array.from({ length: CLIENTS }, async () => {
    while (!isOver) {
      const began = performance.now();
      const failure = await ask(world);
      counts.longest = Math.max(counts.longest, performance.now() - began);
      if (failure === null) counts.answered += 1;
      else if (failure === BROKEN) counts.broken += 1;
      else counts.failed.push(failure);
    }
  });
  const end = async () => {
    isOver = true;
    await Promise.all(loops);
    return counts;
  };
  return { counts, end };
}

/** Null: a whole answer with the status 200. */
function ask({ home, hosts, ca }: World): Promise<string | null> {
  const headers = { host: NAME, authorization: `Bearer ${home.token()}` };
  return new Promise((resolve) => {
    const where = { host: hosts[0].address, path: '/index.html', ca, servername: NAME };
    const sent = request({ ...where, headers, agent: false as const }, (response) => {
      response.resume();
      response.on('end', () => resolve(statusFault(response.statusCode)));
      response.on('error', () => resolve(BROKEN));
    });
    sent.setTimeout(PATIENCE_MS, () => sent.destroy(new Error(`no answer for ${PATIENCE_MS} ms`)));
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end();
  });
}

const statusFault = (status = 0) => (status === 200 ? null : String(status));
