/**
 * The queue beside many instances with many runs: what a submission costs the server, how long plans,
 * starts and stops take. The provider answers at once, and its agents are scripts in the process of
 * the server, whose CPU is counted too.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { load } from './api.ts';
import { usage } from './at-rest.ts';
import { print, summary } from './measure.ts';
import { eventTimes, submit } from './runs.ts';
import { residentMb } from './server-start.ts';
import { startCloud, untilIdle } from './sim.ts';

const INSTANCES = '1500';
const BLOCKS = 5;
/** The most that one fleet creates at once. */
const FLEET_SIZE = 500;
const CALLERS = 16;
/** Submissions that are measured, in both parts. */
const MEASURED = 1500;
const PLAN_MS = 4000;
const STARTS = 30;
const POLL_MS = 1000;
const SETTLE_MS = 5000;
const REST_MS = 20_000;
/** Names in one request; the server reads at most 6 000 values of a body. */
const STOPPED_AT_ONCE = 1000;
/** A scripted job that does not end by itself. */
const SLEEP = { commands: ['sleep 86400'], env: { SIM_SECONDS: 'never' } };

/** `argument`: instances, or instances and runs that are active before the measurement. */
export async function pool(argument = INSTANCES): Promise<void> {
  const [instances = INSTANCES, active = String(Number(instances) * 2)] = argument.split(',');
  const beside = `${instances} instances`;
  const home = await startCloud({ DSTACK_SERVER_LOG_LEVEL: 'error' });
  try {
    for (let i = 0; i * FLEET_SIZE < Number(instances); i++) {
      const nodes = Math.min(FLEET_SIZE, Number(instances) - i * FLEET_SIZE);
      await applyDivided(home, `pool-${i}`, nodes);
    }
    await untilIdle(home, Number(instances));
    await submitMany(home, 'busy', Number(active));
    await untilPlaced(home);
    await alike(home, beside);
    await plans(home, beside);
    await starts(home, beside);
    print({ name: `memory, ${beside}`, unit: 'MB', value: residentMb(home.serverPid) });
    await rest(home, beside);
    print({
      name: `open files, ${beside}`,
      unit: 'per instance',
      ...filesPer(home.serverPid, Number(instances)),
    });
    await full(home, Number(instances), beside);
    print({ name: `memory, full, ${beside}`, unit: 'MB', value: residentMb(home.serverPid) });
    await stops(home, beside);
  } finally {
    await home.dispose();
  }
}

async function applyDivided(home: Installation, name: string, nodes: number): Promise<void> {
  const configuration = {
    ...{ type: 'fleet', name, nodes: String(nodes), blocks: BLOCKS },
    ...{ idle_duration: '1h', resources: { gpu: 0, cpu: '10..', memory: '10GB..' } },
  };
  await home.api('/api/project/main/fleets/apply', {
    plan: { spec: { configuration, profile: { name: 'default' } }, current_resource: null },
    force: false,
  });
}

/** Submits so many runs, some at a time; the times of the requests (ms). */
async function submitMany(
  home: Installation,
  name: string,
  count: number,
  configuration: (i: number) => object = () => ({}),
): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  const submitter = async () => {
    while (next < count) {
      const i = next++;
      const before = performance.now();
      await submit(home, `${name}-${i}`, {
        resources: { gpu: 0, cpu: '1..', memory: '0.5GB..', disk: '1GB..' },
        ...SLEEP,
        ...configuration(i),
      });
      times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, submitter));
  return times;
}

/** Resolves when no run waits for its place any more. */
async function untilPlaced(home: Installation): Promise<void> {
  for (;;) {
    const runs = await activeRuns(home);
    if (runs.every(({ status }) => status === 'running')) return;
    await delay(POLL_MS);
  }
}

/** Measures submissions of equal runs, all of which find a place. */
async function alike(home: Installation, beside: string): Promise<void> {
  await measured(home, `submissions that find a place, ${beside}`, 'alike', MEASURED);
}

async function measured(
  home: Installation,
  name: string,
  prefix: string,
  count: number,
  configuration?: (i: number) => object,
): Promise<void> {
  const before = usage(home.serverPid);
  const start = performance.now();
  const times = await submitMany(home, prefix, count, configuration);
  const perSecond = Math.round((count / (performance.now() - start)) * 1000);
  if (configuration === undefined) await untilPlaced(home);
  else await delay(POLL_MS);
  const cpu = usage(home.serverPid).cpuMs - before.cpuMs;
  const cpuEach = Math.round((cpu / count) * 100) / 100;
  print({ name, unit: 'ms', perSecond, cpuEach, ...summary(times) });
}

async function plans(home: Installation, beside: string): Promise<void> {
  const task = { type: 'task', name: 'planned', ...SLEEP, resources: { gpu: 0 } };
  const body = { run_spec: { run_name: 'planned', configuration: task }, max_offers: 50 };
  const path = '/api/project/main/runs/get_plan';
  const { samples } = await load(home, { path, body, ms: PLAN_MS, callers: 8 });
  print({ name: `get_plan, 8 callers, ${beside}`, unit: 'ms', ...summary(samples) });
}

async function starts(home: Installation, beside: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const id = await submit(home, `start-${i}`, {
      ...SLEEP,
      resources: { gpu: 0, cpu: '1..', memory: '0.5GB..', disk: '1GB..' },
    });
    await untilPlaced(home);
    const at = await eventTimes(home, id);
    times.push((at(/^Job status changed .* -> RUNNING/) - at(/^Run submitted/)) / 1000);
  }
  print({ name: `submit → running, ${beside}`, unit: 'ms', ...summary(times) });
}

async function rest(home: Installation, beside: string): Promise<void> {
  await delay(SETTLE_MS);
  const before = usage(home.serverPid);
  await delay(REST_MS);
  const { cpuMs } = usage(home.serverPid);
  const value = Math.round(((cpuMs - before.cpuMs) * 1000) / REST_MS);
  print({ name: `at rest, ${beside}`, unit: 'CPU ms/s', value });
}

/**
 * Open files of the server for each instance. A scripted agent is in the same process: the sockets with
 * a path are its ends of the links, the others are those that a server has to a real host.
 */
function filesPer(pid: number, instances: number): Record<string, number> {
  const ofAgents = new Set(
    readFileSync(`/proc/${pid}/net/unix`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/ +/))
      .flatMap(([, , , , , , inode = '', path]) => (path === undefined ? [] : [inode])),
  );
  const counts = { ofServer: 0, ofAgents: 0, others: 0 };
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const socket = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`));
    if (!socket) counts.others += 1;
    else counts[ofAgents.has(socket[1] ?? '') ? 'ofAgents' : 'ofServer'] += 1;
  }
  const each = (count: number) => Math.round((count / instances) * 100) / 100;
  return {
    ofServer: each(counts.ofServer),
    ofAgents: each(counts.ofAgents),
    others: each(counts.others),
  };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // It was closed meanwhile.
    return '';
  }
}

/** Stops all runs at once, until none is left. */
async function stops(home: Installation, beside: string): Promise<void> {
  const names = await activeNames(home);
  const before = usage(home.serverPid);
  const start = performance.now();
  for (let i = 0; i < names.length; i += STOPPED_AT_ONCE) {
    const runs_names = names.slice(i, i + STOPPED_AT_ONCE);
    await home.api('/api/project/main/runs/stop', { runs_names, abort: false });
  }
  while ((await activeRuns(home)).length > 0) await delay(POLL_MS);
  const seconds = Math.round(performance.now() - start) / 1000;
  const count = names.length;
  const cpuEach = Math.round(((usage(home.serverPid).cpuMs - before.cpuMs) / count) * 100) / 100;
  print({ name: `stop of all runs, ${beside}`, unit: 's', count, seconds, cpuEach });
}

interface ActiveRun {
  readonly id: string;
  readonly status: string;
  readonly submitted_at: string;
  readonly run_spec: { readonly run_name: string };
}

async function activeNames(home: Installation): Promise<string[]> {
  const names: string[] = [];
  let page = await activeRuns(home);
  while (page.length > 0) {
    names.push(...page.map(({ run_spec }) => run_spec.run_name));
    page = await activeRuns(home, page.at(-1));
  }
  return names;
}

/** A page of the runs that have not ended, the newest first: those after `previous`. */
function activeRuns(home: Installation, previous?: ActiveRun): Promise<ActiveRun[]> {
  return home.api('/api/runs/list', {
    ...{ only_active: true, limit: 100, job_submissions_limit: 1 },
    ...(previous && { prev_submitted_at: previous.submitted_at, prev_run_id: previous.id }),
  });
}

/** A full pool: what runs that must wait cost, alike and each with a demand of its own. */
async function full(home: Installation, instances: number, beside: string): Promise<void> {
  const retry = { on_events: ['no-capacity'], duration: '1d' };
  const runs = await home.api<{ instances: { busy_blocks: number; total_blocks: number }[] }[]>(
    '/api/project/main/fleets/list',
    {},
  );
  const free = runs
    .flatMap((fleet) => fleet.instances)
    .reduce((sum, one) => sum + one.total_blocks - one.busy_blocks, 0);
  await submitMany(home, 'fill', free);
  await untilPlaced(home);
  const count = Math.min(MEASURED, instances);
  await measured(home, `submissions that wait, alike, ${beside}`, 'same', count, () => ({ retry }));
  await measured(
    home,
    `submissions that wait, each its own demand, ${beside}`,
    'own',
    1000,
    (i) => ({
      retry,
      resources: { gpu: 0, cpu: '1..', memory: `${(500 + i) / 1000}GB..`, disk: '1GB..' },
    }),
  );
}
