/**
 * What kills take along: servers and agents are killed and links are cut at random for some minutes,
 * while runs come and go. Every run counts its lines and has an exit code of its own, so that
 * nothing of it can be missing unseen.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { hostsMissing, startHosts, type TestHost, type TestHosts } from '@dstack/testkit/hosts';
import { installation } from './installation.ts';
import { print } from './measure.ts';
import { applyFleet, applySshFleet, submit } from './runs.ts';

const IMAGE = 'bench:busybox';
const MINUTES = '3';
/** Runs that are wanted to live at a time; there are slots for six. */
const LIVE = 8;
/** Everything has come to its end so long after the last kill, or it is stuck. */
const CALM_MS = 3 * 60_000;

interface Wanted {
  readonly name: string;
  readonly lines: number;
  readonly exit: number;
  /** Stopped by its user before its end. */
  readonly stopped: boolean;
}

interface ShownRun {
  readonly status: string;
  readonly latest_job_submission: {
    readonly exit_status: number | null;
    readonly termination_reason: string | null;
  } | null;
}

/** `minutes`: how long there are kills. */
export async function crashes(minutes = MINUTES): Promise<void> {
  const missing = hostsMissing();
  if (missing !== null) {
    print({ name: 'crashes', unit: '-', skipped: `${missing} is missing` });
    return;
  }
  const machines = await startHosts({ count: 2 });
  const home = installation();
  try {
    await machines.busybox(IMAGE);
    await home.startServer();
    const addresses = machines.hosts.map(({ address }) => ({ hostname: address }));
    await applySshFleet(home, 'hosts', machines.privateKey, addresses, 2);
    await applyFleet(home, '0..2');
    const end = Date.now() + Number(minutes) * 60_000;
    const [runs, kills] = await Promise.all([work(home, end), destroy(home, machines, end)]);
    print({
      name: `crashes: ${minutes} minutes of kills`,
      unit: 'number',
      kills,
      ...(await judge(home, runs)),
      ...(await leftovers(home, machines)),
    });
  } finally {
    await home.dispose();
    machines.close();
  }
}

/** Repeats what a server that is down has cut off. */
async function surely<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      // What `fetch` says when there is no connection, or no answer to its end.
      if (!(error instanceof TypeError)) throw error;
      await delay(50);
    }
  }
}

/** Keeps some runs alive until the end; answers all of them once they are submitted. */
async function work(home: Installation, end: number): Promise<Wanted[]> {
  const runs: Wanted[] = [];
  const one = async (): Promise<void> => {
    while (Date.now() < end) {
      const i = runs.length;
      const lines = random(20, 400);
      const run = { name: `run-${i}`, lines, exit: i % 3, stopped: i % 7 === 6 };
      runs.push(run);
      await submitOnce(home, run, i % 2 === 0);
      if (run.stopped) {
        await delay(random(0, 3000));
        const body = { runs_names: [run.name], abort: false };
        await surely(() => home.api('/api/project/main/runs/stop', body));
      }
      while (!(await isOver(home, run)) && Date.now() < end) await delay(200);
    }
  };
  await Promise.all(Array.from({ length: LIVE }, one));
  return runs;
}

/** A submit whose answer was lost may have been carried out. */
async function submitOnce(home: Installation, run: Wanted, onHosts: boolean): Promise<void> {
  const count = `i=0; while [ $i -lt ${run.lines} ]; do i=$((i + 1)); echo "line $i"; sleep 0.02; done`;
  const configuration = {
    commands: [count, `exit ${run.exit}`],
    ...(onHosts
      ? {
          image: IMAGE,
          fleets: ['hosts'],
          resources: { cpu: '1..', memory: '0.5GB..', disk: '1GB..', gpu: 0 },
        }
      : { fleets: ['default'] }),
    // Slots may all be taken.
    retry: { on_events: ['no-capacity'], duration: '1h' },
  };
  for (;;) {
    try {
      await submit(home, run.name, configuration);
      return;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      await delay(50);
      if ((await shown(home, run)) !== null) return;
    }
  }
}

async function shown(home: Installation, { name }: Wanted): Promise<ShownRun | null> {
  try {
    return await surely(() => home.api('/api/project/main/runs/get', { run_name: name }));
  } catch (error) {
    if (String(error).includes('resource_not_exists')) return null;
    throw error;
  }
}

async function isOver(home: Installation, run: Wanted): Promise<boolean> {
  const { status } = (await shown(home, run)) ?? { status: '' };
  return ['done', 'failed', 'terminated'].includes(status);
}

/** Answers how often something was killed or cut. */
async function destroy(home: Installation, machines: TestHosts, end: number): Promise<number> {
  const deeds = [
    async () => {
      await home.stopServer('SIGKILL');
      await delay(random(0, 1500));
      await home.startServer();
    },
    async () => killOwnAgent(home),
    ...machines.hosts.flatMap((host) => [() => killAgent(host), () => cut(host)]),
  ];
  let kills = 0;
  for (; Date.now() < end; kills++) {
    await delay(random(200, 3000));
    await deeds[random(0, deeds.length - 1)]?.();
  }
  return kills;
}

function killOwnAgent(home: Installation): void {
  for (const pid of home.processes()) {
    if (commandOf(pid).includes('agent/main.js')) process.kill(pid, 'SIGKILL');
  }
}

async function killAgent(host: TestHost): Promise<void> {
  await host.exec("pkill -9 -f '^/opt/[^ ]*/bin/node .*/main.js' || true");
}

async function cut(host: TestHost): Promise<void> {
  host.cut();
  await delay(random(100, 5000));
  host.restore();
}

/** Waits for all runs and compares what is known of each with what it was. */
async function judge(home: Installation, runs: readonly Wanted[]) {
  const limit = Date.now() + CALM_MS;
  const stuck: Wanted[] = [];
  const sums = { lines: 0, 'lines lost': 0, 'lines twice or out of order': 0, 'wrong ends': 0 };
  for (const run of runs) {
    while (!(await isOver(home, run)) && Date.now() < limit) await delay(100);
    if (!(await isOver(home, run))) {
      stuck.push(run);
      continue;
    }
    const text = await home.ok('logs', run.name);
    // The terminal shows Ctrl-C where it comes.
    const found = [...text.matchAll(/^(?:\^C)?line (\d+)\r?$/gm)];
    const numbers = found.map((match) => Number(match[1]));
    const unsorted = numbers.filter((n, i) => i > 0 && n <= (numbers[i - 1] ?? 0)).length;
    // Of a run that was stopped its last line is not known, only that none before it is missing.
    const last = run.stopped ? Math.max(0, ...numbers) : run.lines;
    const lost = last - new Set(numbers).size;
    const end = (await shown(home, run))?.latest_job_submission;
    const right = end?.exit_status === run.exit || run.stopped;
    sums.lines += numbers.length;
    sums['lines lost'] += lost;
    sums['lines twice or out of order'] += unsorted;
    sums['wrong ends'] += right ? 0 : 1;
    if (lost > 0 || unsorted > 0 || !right) {
      console.error(run, end?.exit_status, end?.termination_reason, { lost, unsorted }, text);
    }
  }
  for (const run of stuck) console.error('stuck', run, await shown(home, run));
  return { runs: runs.length, ...sums, 'runs stuck': stuck.length };
}

/** What nobody needs any more and is still there when it had the time to go. */
async function leftovers(home: Installation, machines: TestHosts) {
  const limit = Date.now() + CALM_MS;
  for (;;) {
    const lists = await Promise.all(
      machines.hosts.map(({ docker }) => docker.listContainers({ all: true })),
    );
    const supervisors = home.processes().filter((pid) => commandOf(pid).includes('supervisor.js'));
    const left = {
      'containers left': lists.flat().length,
      'processes left': supervisors.length,
      'hosts not idle': await busyHosts(home),
    };
    if (Object.values(left).every((n) => n === 0) || Date.now() > limit) return left;
    await delay(200);
  }
}

async function busyHosts(home: Installation): Promise<number> {
  const { instances } = await home.api<{ instances: readonly { status: string }[] }>(
    '/api/project/main/fleets/get',
    { name: 'hosts' },
  );
  return instances.filter(({ status }) => status !== 'idle').length;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It has just ended.
    return '';
  }
}

/** A whole number, both ends included. */
function random(from: number, to: number): number {
  return from + Math.floor(Math.random() * (to - from + 1));
}
