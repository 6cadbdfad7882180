/** An array of many members: its submission, and what lists and other runs notice of it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { load, untilAtRest } from './api.ts';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';
import { applyFleet, submit } from './runs.ts';
import { residentMb } from './server-start.ts';

const MEMBERS = '10000';
const SLOTS = 4;
const LIST_MS = 5000;
/** Runs that are submitted at a time. */
const SINGLES = 20;

interface ShownArray {
  readonly status: string;
  readonly array: { readonly members: Readonly<Record<string, number>> };
}

/** `members`: of the array. */
export async function array(members = MEMBERS): Promise<void> {
  const home = installation({ DSTACK_LOCAL_MAX_INSTANCES: String(SLOTS) });
  try {
    await home.startServer();
    await applyFleet(home, `0..${SLOTS}`);
    await singles(home, 'beside none');
    await untilAtRest(home);
    await lists(home, `${SINGLES} waiting runs, beside no array`);
    const before = performance.now();
    const array = { count: Number(members) };
    await submit(home, 'sweep', { commands: ['sleep 86400'], array });
    print({ name: `submit an array of ${members}`, unit: 'ms', value: performance.now() - before });
    await lists(home, `while ${members} members are born`);
    await untilWindow(home);
    print({
      ...{ name: `the window of an array of ${members} is full after`, unit: 'ms' },
      value: performance.now() - before,
    });
    await untilAtRest(home);
    await lists(home, `${SINGLES} waiting runs, beside an array of ${members}`);
    await singles(home, `beside an array of ${members}`);
    print({ name: `memory, array of ${members}`, unit: 'MB', value: residentMb(home.serverPid) });
    const stopped = performance.now();
    await home.api('/api/project/main/runs/stop', { runs_names: ['sweep'], abort: true });
    while ((await shown(home)).status !== 'terminated') await delay(50);
    print({ name: `stop an array of ${members}`, unit: 'ms', value: performance.now() - stopped });
  } finally {
    await home.dispose();
  }
}

const shown = (home: Installation) =>
  home.api<ShownArray>('/api/project/main/runs/get', { run_name: 'sweep' });

/** Waits until the queue has as many members as it may have. */
async function untilWindow(home: Installation): Promise<void> {
  for (;;) {
    const { members } = (await shown(home)).array;
    const born = Object.values(members).reduce((sum, count) => sum + count, 0);
    if (born >= 100 && members.pending === 0) return;
    await delay(50);
  }
}

async function lists(home: Installation, beside: string): Promise<void> {
  for (const only_active of [true, false]) {
    const body = { project_name: 'main', only_active, limit: 100 };
    const request = { path: '/api/runs/list', body, ms: LIST_MS, callers: 1 };
    const { samples } = await load(home, request);
    const which = only_active ? 'active runs' : 'runs';
    print({ name: `runs/list of ${which}, ${beside}`, unit: 'ms', ...summary(samples) });
  }
}

let number = 0;

async function singles(home: Installation, beside: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < SINGLES; i++) {
    const before = performance.now();
    await submit(home, `single-${number++}`, {
      // They wait for ever.
      ...{ commands: ['true'], resources: { gpu: 'H100:8' } },
      retry: { on_events: ['no-capacity'], duration: '1d' },
    });
    times.push(performance.now() - before);
  }
  print({ name: `submit of a run, ${beside}`, unit: 'ms', ...summary(times) });
}
