/**
 * A thousand services with two replicas each, behind the proxy's workers and behind a gateway: memory of
 * each program, and the time until a replica that becomes ready, or is taken out, has an effect on
 * requests. The same without these services is the floor. Their replicas are jobs of simulated instances;
 * the service whose replicas change is a real one. Gateways need nginx.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { freePort } from '../e2e/serving.ts';
import { installation, root } from './installation.ts';
import { print, summary } from './measure.ts';
import { familyOf, proportionalMb } from './process-memory.ts';
import type { Target } from './proxy.ts';
import { micros, submit } from './runs.ts';
import { residentMb } from './server-start.ts';

const SERVICES = '1000';
/** How often the real service gets a replica and loses it again. */
const CHANGES = 5;
/** More than workers, so that each worker has some. */
const CONNECTIONS = 8;
/** Replicas on each simulated instance: fewer instances, since these are not what is measured. */
const BLOCKS = 8;
const AT_A_TIME = 8;
const LOOK_MS = 500;
/** Collections of garbage and the last writes. */
const SETTLE_MS = 5000;

/** Fits in a block. */
const SMALL = { gpu: 0, cpu: '1..', memory: '1GB..', disk: '1GB..' };

type Memory = Readonly<Record<string, number>>;

/** How requests reach the services; of a gateway by what answers them. */
type WayIn = 'workers of the proxy' | 'gateway' | 'gateway, nginx';

const WAYS: Readonly<Record<string, WayIn>> = {
  workers: 'workers of the proxy',
  gateway: 'gateway',
  nginx: 'gateway, nginx',
};

/** `argument`: how many services, and `,gateway`, `,nginx` or `,workers` for one way alone. */
export async function services(argument = SERVICES): Promise<void> {
  const [count = SERVICES, only = null] = argument.split(',');
  for (const [name, way] of Object.entries(WAYS)) {
    if (only === null || only === name) await behind(way, Number(count));
  }
}

async function behind(way: WayIn, count: number): Promise<void> {
  const port = await freePort();
  const isGateway = way !== 'workers of the proxy';
  const home = await startCloud(port, way === 'gateway, nginx' ? 'nginx' : 'workers');
  try {
    if (isGateway) await applyGateway(home);
    const url = isGateway ? `http://127.0.0.1:${port}/` : `${home.url}/proxy/services/main/app/`;
    const host: Target['headers'] = isGateway ? { host: 'app.apps.test' } : {};
    const headers = { ...host, authorization: `Bearer ${home.token()}` };
    const through: Target = { url: new URL(url), headers };
    const id = await scaleApp(home, 1, isGateway);
    await applyFleets(home, 2 * count);
    await unlessAppEnds(home, untilReplicas(through, 1));
    const memory = async (): Promise<Memory> => {
      await delay(SETTLE_MS);
      return { server: residentMb(home.serverPid), ...(isGateway ? gatewayMb() : workersMb(home)) };
    };
    const few = await changes(home, id, through, isGateway);
    const before = await memory();
    await submitServices(home, count, isGateway);
    const after = await memory();
    const many = await changes(home, id, through, isGateway);
    const name = `${count} services with 2 replicas each, ${way}`;
    for (const [program, mb] of Object.entries(after)) {
      const without = before[program] ?? 0;
      print({ name: `${name}: memory, ${program}`, unit: 'MB', without, with: mb });
    }
    for (const what of ['ready', 'removed'] as const) {
      print({
        name: `${name}: replica ${what} → routed, without`,
        unit: 'ms',
        ...summary(few[what]),
      });
      print({
        name: `${name}: replica ${what} → routed, with`,
        unit: 'ms',
        ...summary(many[what]),
      });
    }
  } finally {
    if (isGateway) await home.ok('gateway', 'delete', 'edge', '-y', '--force').catch(() => {});
    await home.dispose();
  }
}

async function startCloud(port: number, engine: string): Promise<Installation> {
  const home = installation({
    ...{ DSTACK_SIM: '1', DSTACK_SERVER_PROXY_WORKERS: '2' },
    DSTACK_GATEWAY_HTTP_PORT: String(port),
    DSTACK_GATEWAY_PROXY: engine,
  });
  mkdirSync(home.serverDir, { recursive: true });
  writeFileSync(
    join(home.serverDir, 'config.yml'),
    'projects: [{name: main, backends: [{type: sim, as: aws, agent: scripted}]}]\n',
  );
  await home.startServer();
  // Simulated instances have a price.
  await applyFleetOn(home, 'here', '0..4', { max_price: 0.001 });
  return home;
}

async function applyGateway(home: Installation): Promise<void> {
  const yaml =
    "type: gateway\nname: edge\nbackend: remote\nregion: local\ndomain: '*.apps.test'\ncertificate: null\n";
  writeFileSync(join(home.home, 'edge.yml'), yaml);
  await home.ok('apply', '-f', 'edge.yml', '-y');
}

async function applyFleets(home: Installation, count: number): Promise<void> {
  const nodes = Math.ceil(count / BLOCKS);
  const from = {
    backends: ['aws'],
    blocks: BLOCKS,
    resources: { gpu: 0, cpu: '32', disk: '1GB..' },
  };
  await applyFleetOn(home, 'pool', String(nodes), from);
  while ((await instancesOf(home)).some(({ status }) => status !== 'idle')) await delay(LOOK_MS);
}

/** The simulated instances. */
async function instancesOf(home: Installation) {
  const { instances } = await home.api<{ instances: { status: string; busy_blocks: number }[] }>(
    '/api/project/main/fleets/get',
    { name: 'pool' },
  );
  return instances;
}

async function applyFleetOn(home: Installation, name: string, nodes: string, from: object) {
  const configuration = {
    ...{ type: 'fleet', name, nodes, idle_duration: '1h' },
    ...{ resources: { gpu: 0 }, ...from },
  };
  await home.api('/api/project/main/fleets/apply', {
    plan: { spec: { configuration, profile: { name: 'default' } }, current_resource: null },
    force: false,
  });
}

/** Submits or updates the real service. */
async function scaleApp(home: Installation, replicas: number, isGateway: boolean): Promise<string> {
  const configuration = {
    ...{ type: 'service', name: 'app', port: 8000, replicas, fleets: ['here'] },
    ...{ resources: { gpu: 0 }, gateway: isGateway, ...(isGateway && { https: false }) },
    probes: [{ type: 'http', url: '/', interval: '1s' }],
    commands: [`exec ${jobProgram(join(root, 'e2e', 'service-app.ts'))}`],
  };
  const run = await home.api<{ id: string }>('/api/project/main/runs/apply', {
    plan: { run_spec: { run_name: 'app', configuration }, current_resource: null },
    force: true,
  });
  return run.id;
}

/** Rejects when the real service has ended, which no request would ever show. */
async function unlessAppEnds<T>(home: Installation, work: Promise<T>): Promise<T> {
  let isOver = false;
  const watch = async (): Promise<T> => {
    while (!isOver) {
      const run = await home.api<{ status: string; status_message: string | null }>(
        '/api/project/main/runs/get',
        { run_name: 'app' },
      );
      if (/^(done|failed|terminat)/.test(run.status)) {
        throw new Error(`the app has ended: ${run.status} (${run.status_message ?? 'no reason'})`);
      }
      await delay(LOOK_MS);
    }
    return await work;
  };
  try {
    return await Promise.race([work, watch()]);
  } finally {
    isOver = true;
  }
}

async function submitServices(home: Installation, count: number, isGateway: boolean) {
  const numbers = Array.from({ length: count }, (_, n) => n);
  const submitAll = async () => {
    for (let n = numbers.pop(); n !== undefined; n = numbers.pop()) {
      await submit(home, `s${n}`, {
        ...{ type: 'service', port: 8000, replicas: 2, gateway: isGateway },
        ...{ ...(isGateway && { https: false }), backends: ['aws'], resources: SMALL },
        ...{ env: { SIM_SECONDS: 'never' }, commands: ['serve'] },
      });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, submitAll));
  const busy = async () => {
    const blocks = (await instancesOf(home)).map((instance) => instance.busy_blocks);
    return blocks.reduce((sum, each) => sum + each, 0);
  };
  while ((await busy()) < 2 * count) await delay(LOOK_MS);
}

/** Milliseconds from the record of a change to its effect on the last of all connections. */
async function changes(home: Installation, id: string, through: Target, isGateway: boolean) {
  const ready: number[] = [];
  const removed: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const more = untilReplicas(through, 2);
    await scaleApp(home, 2, isGateway);
    const firsts = await more;
    ready.push(firsts - (await latest(home, id, /ready to receive/)));
    const fewer = untilReplicas(through, 1);
    await scaleApp(home, 1, isGateway);
    const lasts = await fewer;
    removed.push(Math.max(0, lasts - (await latest(home, id, /RUNNING -> TERMINATING/))));
  }
  return { ready, removed };
}

/** The time (ms since 1970) of the last event that matches. */
async function latest(home: Installation, id: string, pattern: RegExp): Promise<number> {
  const events = await home.api<{ message: string; recorded_at: string }[]>('/api/events/list', {
    within_runs: [id],
  });
  const event = events.find(({ message }) => pattern.test(message));
  if (!event) throw new Error(`no event ${pattern}`);
  return micros(event.recorded_at) / 1000;
}

/** After so many answers of one replica in a row there is no other. */
const ALONE = 40;

/**
 * Sends requests over several connections, until each has answers of two replicas, or of one alone.
 * Resolves to the time (ms since 1970) from which this was so for all of them.
 */
async function untilReplicas(through: Target, wanted: 1 | 2): Promise<number> {
  const watch = wanted === 1 ? aloneSince : otherSince;
  const connections = Array.from({ length: CONNECTIONS }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const since = await watch(() => answerOf(through, agent));
    agent.destroy();
    return since;
  });
  return Math.max(...(await Promise.all(connections)));
}

const now = () => performance.timeOrigin + performance.now();

type Ask = () => Promise<string | null>;

async function otherSince(ask: Ask): Promise<number> {
  const first = await ask();
  for (;;) {
    const job = await ask();
    if (job !== null && job !== first) return now();
  }
}

async function aloneSince(ask: Ask): Promise<number> {
  let job: string | null = null;
  let since = 0;
  for (let inRow = 0; job === null || inRow < ALONE; inRow++) {
    const began = now();
    const next = await ask();
    if (next === job) continue;
    job = next;
    since = began;
    inRow = 0;
  }
  return since;
}

/** The job that has answered; null: another answer. */
async function answerOf({ url, headers }: Target, agent: Agent): Promise<string | null> {
  const [answer] = (await once(get(url, { headers, agent }), 'response')) as [IncomingMessage];
  const body = await text(answer);
  return answer.statusCode === 200 ? (JSON.parse(body) as { job: string }).job : null;
}

function workersMb(home: Installation): Memory {
  const dir = join(home.serverDir, 'proxy');
  const pids = readdirSync(dir)
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(join(dir, file), 'utf8')).pid as number);
  return Object.fromEntries(pids.map((pid, n) => [`worker ${n}`, residentMb(pid)]));
}

/** Proportional memory of each process of the gateway, nginx among them, and of all together. */
function gatewayMb(): Memory {
  const found = execFileSync('pgrep', ['-f', `${join(root, 'dist')}/agent/gateway`]).toString();
  const own = found.trim().split('\n').map(Number);
  const masters = own.flatMap((pid) => {
    const [, runtime] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0--runtime\0');
    const folder = runtime?.split('\0')[0];
    return folder === undefined ? [] : [Number(readFileSync(join(folder, 'nginx.pid'), 'utf8'))];
  });
  const parts: Record<string, number> = {};
  for (const pid of new Set([...own, ...masters].flatMap(familyOf))) {
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    const name = /agent\/(gateway[a-z-]*)\.js|(nginx: \w+)/.exec(line)?.slice(1).join('') ?? line;
    const index = Object.keys(parts).filter((part) => part.startsWith(`${name} `)).length;
    parts[`${name} ${index}`] = proportionalMb(pid);
  }
  const all = Object.values(parts).reduce((sum, mb) => sum + mb, 0);
  return { ...parts, 'all processes of the gateway (PSS)': all };
}
