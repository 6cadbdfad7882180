/** Kinds of runs that are exposed to kills, each with a check of its result. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jobProgram } from '@dstack/testkit/job-programs';
import type { Random } from '@dstack/testkit/random';
import { countedTo, counting, linesIn } from '../counting.ts';
import { isFinished, type ShownRun } from '../installation.ts';
import { applyRun, HOSTS, IMAGE, LOCAL, post, stop, until, type World } from './world.ts';

/** Returns the problem with the run; called after the last kill. */
export type Judge = () => Promise<readonly string[]>;

/** Submits a run and waits for its end. */
export type Kind = (world: World, name: string, random: Random) => Promise<Judge>;

const app = jobProgram(join(import.meta.dirname, '..', 'service-app.ts'));
const retry = { on_events: ['no-capacity'], duration: '1h' };
const onHosts = { image: IMAGE, fleets: [HOSTS] };
const onLocal = { fleets: [LOCAL] };
/** Milliseconds between two requests to a service. */
const PATIENCE = 300;
/** Each needs a second place for its next version: with three local instances, three would wait for one another. */
const MOST_SERVING = 2;
let serving = 0;
/** Seconds between two lines of a job. */
const STEP = 0.02;

/** Counts to its end, in a container or a process. */
const counter: Kind = async (world, name, random) => {
  const lines = random.whole(10, 150);
  const exit = random.whole(0, 2);
  const where = random.chance(0.5) ? onHosts : onLocal;
  await applyRun(world, name, {
    type: 'task',
    commands: counting(lines, STEP, exit),
    ...where,
    retry,
  });
  const run = await until(world, name, isFinished);
  return async () => [...ended(run, [exit]), ...(await printed(world, name, 0, lines))];
};

/** Counts on two hosts at once, which requires that both become free at the same time. */
const pair: Kind = async (world, name, random) => {
  const lines = random.whole(10, 60);
  const task = { type: 'task', nodes: 2, commands: counting(lines, STEP, 0), ...onHosts, retry };
  await applyRun(world, name, task);
  const run = await until(world, name, isFinished);
  return async () => [
    ...ended(run, [0, 0]),
    ...(await printed(world, name, 0, lines)),
    ...(await printed(world, name, 1, lines)),
  ];
};

/** Is stopped at a random moment of its life. */
const stopped: Kind = async (world, name, random) => {
  const where = random.chance(0.5) ? onHosts : onLocal;
  await applyRun(world, name, {
    type: 'task',
    commands: counting(10_000, STEP, 0),
    ...where,
    retry,
  });
  await delay(random.whole(0, 3000));
  await stop(world, name, random.chance(0.2));
  const run = await until(world, name, isFinished);
  return async () => [
    ...(run?.status === 'terminated' ? [] : [`is ${run?.status}, not terminated`]),
    ...(await printed(world, name, 0, null)),
  ];
};

/** Fails again and again, and is retried with growing delays until it is stopped. */
const loop: Kind = async (world, name, random) => {
  const task = { type: 'task', commands: ['exit 7'], ...onLocal };
  await applyRun(world, name, {
    ...task,
    retry: { on_events: ['error', 'no-capacity'], duration: '1h' },
  });
  const life = random.whole(1000, 12_000);
  await delay(life);
  await stop(world, name, false);
  const run = await until(world, name, isFinished);
  return async () => {
    const times = run?.jobs.flatMap((job) => job.job_submissions).length ?? 0;
    // After 1, 2, 4, 8 … seconds, each up to a fifth less.
    const most = 2 + Math.log2(1 + (life + 30_000) / 800);
    return [
      ...(run?.status === 'terminated' ? [] : [`is ${run?.status}, not terminated`]),
      ...(times <= most ? [] : [`was tried ${times} times in ${life} ms`]),
    ];
  };
};

/** Has its own fleet, which is deleted after it. */
const guest: Kind = async (world, name, random) => {
  const lines = random.whole(10, 60);
  const fleet = `fleet-of-${name}`;
  const configuration = { type: 'fleet', name: fleet, nodes: '0..1', resources: { gpu: 0 } };
  const spec = { configuration, profile: { name: 'default' } };
  const path = (what: string) => `/api/project/main/fleets/${what}`;
  await post(world, path('apply'), { plan: { spec, current_resource: null }, force: true });
  await applyRun(world, name, {
    type: 'task',
    commands: counting(lines, STEP, 0),
    fleets: [fleet],
    retry,
  });
  const run = await until(world, name, isFinished);
  await post(world, path('delete'), { names: [fleet] });
  return async () => [...ended(run, [0]), ...(await printed(world, name, 0, lines))];
};

/** Serves, is replaced by a new version, and serves until it is stopped. */
const service: Kind = async (world, name, random) => {
  while (serving >= MOST_SERVING && !world.limit.aborted) await delay(PATIENCE);
  serving += 1;
  try {
    return await served(world, name, random);
  } finally {
    serving -= 1;
  }
};

const served: Kind = async (world, name, random) => {
  const version = (VERSION: string) => ({
    type: 'service',
    port: 8000,
    auth: false,
    replicas: 1,
    commands: [`exec ${app}`],
    env: { VERSION },
    ...onLocal,
    retry,
  });
  const wrong: string[] = [];
  await applyRun(world, name, version('1'));
  if (!(await answers(world, name, '1'))) wrong.push('never served');
  await delay(random.whole(0, 3000));
  await applyRun(world, name, version('2'), 1);
  if (!(await answers(world, name, '2'))) wrong.push('never served its second version');
  await stop(world, name, false);
  const run = await until(world, name, isFinished);
  if (run?.status !== 'terminated') wrong.push(`is ${run?.status}, not terminated`);
  return async () => wrong;
};

/** Sends requests until that version answers. */
async function answers(world: World, name: string, version: string): Promise<boolean> {
  while (!world.limit.aborted) {
    try {
      const url = new URL(`/proxy/services/main/${name}/`, world.home.url);
      const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      if (answer.ok && ((await answer.json()) as { version: string }).version === version) {
        return true;
      }
      await answer.body?.cancel();
    } catch {
      // The server is down.
    }
    await delay(PATIENCE);
  }
  return false;
}

/** Is started by its schedule each minute. */
export const scheduled: Kind = async (world, name) => {
  const task = { type: 'task', commands: counting(5, STEP, 0), schedule: { cron: '* * * * *' } };
  await applyRun(world, name, { ...task, ...onLocal, retry });
  const run = await until(world, name, (one) => one.latest_job_submission?.exit_status === 0);
  await until(world, name, (one) => one.status === 'pending');
  await stop(world, name, false);
  const end = await until(world, name, isFinished);
  return async () => [
    ...(run ? [] : ['has never run']),
    ...(end?.status === 'terminated' ? [] : [`is ${end?.status}, not terminated`]),
    ...(await printed(world, name, 0, null)),
  ];
};

export const KINDS = { counter, pair, stopped, loop, guest, service };
export const WEIGHTS: Readonly<Record<keyof typeof KINDS, number>> = {
  counter: 12,
  stopped: 3,
  pair: 1,
  loop: 1,
  guest: 2,
  service: 1,
};

/** `exits`: the exit code of each job of the run. */
function ended(run: ShownRun | null, exits: readonly number[]): string[] {
  if (!run) return ['never ended'];
  const found = run.jobs.map((job) => job.job_submissions.at(-1)?.exit_status ?? null);
  const right = JSON.stringify(found) === JSON.stringify(exits);
  return right ? [] : [`exited with ${found}, not ${exits}: ${run.termination_reason}`];
}

/**
 * Compares the stored output with all lines of the job; `lines` null: any number, without a gap.
 */
async function printed({ home }: World, name: string, job: number, lines: number | null) {
  const text = await home.ok('logs', name, '--job', String(job));
  const found = linesIn(text);
  const wanted = countedTo(lines ?? found.length);
  const right = JSON.stringify(found) === JSON.stringify(wanted);
  return right ? [] : [`job ${job}: ${found.length} lines instead of ${wanted.length}:\n${text}`];
}
