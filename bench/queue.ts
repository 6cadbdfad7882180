/**
 * Waiting runs: their cost, their effect on other requests, and how fast a free slot is claimed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { load, untilAtRest } from './api.ts';
import { usage } from './at-rest.ts';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';
import { applyFleet, micros, submit } from './runs.ts';
import { residentMb } from './server-start.ts';

const WAITING = '10000';
const SLOTS = 10;
const SUBMITTERS = 8;
const REST_MS = 30_000;
const LATE_SUBMITS = 200;
const LIST_MS = 3000;
const FREED = 50;

const forever = { commands: ['sleep 86400'] };
const retry = { on_events: ['no-capacity'], duration: '1d' };
const kinds = [
  // Can use the next free slot.
  { ...forever, retry },
  // Can never run here, and must not delay others.
  { ...forever, retry, resources: { gpu: 'H100:8' } },
];

/** `waiting`: number of waiting runs. */
export async function queue(waiting = WAITING): Promise<void> {
  const home = installation({ DSTACK_LOCAL_MAX_INSTANCES: String(SLOTS) });
  try {
    await home.startServer();
    await applyFleet(home, `0..${SLOTS}`);
    for (let i = 0; i < SLOTS; i++) await submit(home, `holder-${i}`, forever);
    for (let i = 0; i < SLOTS; i++) await untilRunning(home, `holder-${i}`);
    await fill(home, Number(waiting));
    await untilAtRest(home);
    await measure(home, `${waiting} waiting runs`);
  } finally {
    await home.dispose();
  }
}

async function fill(home: Installation, waiting: number): Promise<void> {
  const started = performance.now();
  const times: number[] = [];
  let next = 0;
  const submitter = async () => {
    while (next < waiting) times.push(await timedSubmit(home, `waiting-${next}`, next++));
  };
  await Promise.all(Array.from({ length: SUBMITTERS }, submitter));
  const perSecond = Math.round((waiting / (performance.now() - started)) * 1000);
  const last = times.slice(-1000);
  const name = `the last ${last.length} of ${waiting} submits, ${SUBMITTERS} at a time`;
  print({ name, unit: 'ms', perSecond, ...summary(last) });
}

async function timedSubmit(home: Installation, name: string, i: number): Promise<number> {
  const before = performance.now();
  await submit(home, name, kinds[i % kinds.length] ?? forever);
  return performance.now() - before;
}

async function measure(home: Installation, beside: string): Promise<void> {
  const before = usage(home.serverPid);
  await delay(REST_MS);
  const after = usage(home.serverPid);
  const perMinute = ((after.cpuMs - before.cpuMs) * 60_000) / REST_MS;
  print({ name: `at rest, ${beside}`, unit: 'CPU ms/min', value: perMinute });
  print({ name: `memory, ${beside}`, unit: 'MB', value: residentMb(home.serverPid) });

  const submits: number[] = [];
  for (let i = 0; i < LATE_SUBMITS; i++) submits.push(await timedSubmit(home, `late-${i}`, i));
  print({ name: `submit, ${beside}`, unit: 'ms', ...summary(submits) });
  for (const count of [1, SUBMITTERS]) {
    const request = { path: '/api/runs/list', body: { limit: 100 }, ms: LIST_MS };
    const { samples } = await load(home, { ...request, callers: count });
    const name = `runs/list, page of 100, callers: ${count}, ${beside}`;
    print({ name, unit: 'ms', ...summary(samples) });
  }
  print({ name: `slot free to claimed, ${beside}`, unit: 'ms', ...summary(await freed(home)) });
}

/** Ends one job after the other, and measures when its slot is claimed (ms). */
async function freed(home: Installation): Promise<number[]> {
  const times: number[] = [];
  const holders = Array.from({ length: SLOTS }, (_, i) => `holder-${i}`);
  for (let last = 0; times.length < FREED; ) {
    const name = holders.shift();
    await home.api('/api/project/main/runs/stop', { runs_names: [name], abort: true });
    const [free, claim] = await nextClaim(home, last);
    last = micros(claim.recorded_at);
    times.push((last - micros(free.recorded_at)) / 1000);
    const heir = claim.targets.find(({ type }) => type === 'job')?.name.replace(/-0-0$/, '') ?? '';
    await untilRunning(home, heir);
    holders.push(heir);
  }
  return times;
}

interface Event {
  readonly message: string;
  readonly recorded_at: string;
  readonly targets: readonly { readonly type: string; readonly name: string }[];
}

/** A slot that has become free since then, and its next job. */
async function nextClaim(home: Installation, since: number): Promise<readonly [Event, Event]> {
  for (;;) {
    const events = await home.api<Event[]>('/api/events/list', { limit: 20 });
    const fresh = events.filter(({ recorded_at }) => micros(recorded_at) > since);
    const claim = fresh.find(({ message }) => message.startsWith('Job assigned'));
    const free = fresh.find(({ message }) => message.startsWith('Job unassigned'));
    if (claim && free && micros(claim.recorded_at) >= micros(free.recorded_at)) {
      return [free, claim];
    }
    await delay(10);
  }
}

async function untilRunning(home: Installation, run_name: string): Promise<void> {
  const show = () => home.api<{ status: string }>('/api/project/main/runs/get', { run_name });
  while ((await show()).status !== 'running') await delay(20);
}
