import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import { startHosts } from '@dstack/testkit/hosts';
import { Random } from '@dstack/testkit/random';
import { expect, it } from 'vitest';
import { applySshFleet, missingForHosts } from './hosts.ts';
import { applyFleet, newInstallation } from './installation.ts';
import { commandOf, faults } from './kills/faults.ts';
import { type Judge, KINDS, scheduled, WEIGHTS } from './kills/runs.ts';
import { HOSTS, IMAGE, post, type World } from './kills/world.ts';

/** The seed decides the runs and the kills; timing depends on the computer. A long search has `KILLS_RUNS=500`. */
const SEED = Number(process.env.KILLS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = Number(process.env.KILLS_RUNS ?? 40);
/** Runs at a time. There is room for seven of them, and for guests. */
const LIVE = 10;
const SCHEDULES = 2;
/** A run that has not ended by then is stuck. */
const LIMIT_MS = 180_000 + RUNS * 3000;
/** Time after the last run to remove what runs have left behind. */
const CALM_MS = 120_000;

const missing = missingForHosts();

it.skipIf(missing !== null)(
  `${RUNS} runs keep every line and end as expected while servers, agents and links are killed`,
  async () => {
    console.log(`repeat it with KILLS_SEED=${SEED}`);
    const testHosts = await startHosts({ count: 2 });
    const home = newInstallation({ DSTACK_SERVER_LOG_LEVEL: 'error' });
    try {
      await testHosts.busybox(IMAGE);
      await home.startServer();
      await applySshFleet(home, testHosts, HOSTS, testHosts.hosts, 2, 'placement: cluster\n');
      await applyFleet(home, '0..3');
      const world: World = { home, testHosts, limit: AbortSignal.timeout(LIMIT_MS) };
      const over = new AbortController();
      const killing = faults(world, new Random(SEED), over.signal);
      const judges = await runs(world).finally(async () => {
        over.abort();
        // The next fault would meet hosts that have been removed.
        await killing.catch(() => {});
      });
      expect(await killing).toBeGreaterThan(0);
      expect(await verdicts(judges)).toEqual({});
      expect(await leftovers(world)).toEqual([]);
    } finally {
      await home.dispose();
      testHosts.close();
    }
  },
  LIMIT_MS + CALM_MS + 240_000,
);

/** Runs all of them, `LIVE` at a time. */
async function runs(world: World): Promise<Map<string, Judge>> {
  const judges = new Map<string, Judge>();
  let next = 0;
  const worker = async () => {
    while (next < RUNS - SCHEDULES) {
      const i = next++;
      const random = new Random(SEED + i + 1);
      const kind = random.weighted(WEIGHTS);
      judges.set(`${kind}-${i}`, await KINDS[kind](world, `${kind}-${i}`, random));
    }
  };
  const schedule = async (_: unknown, i: number) => {
    judges.set(`cron-${i}`, await scheduled(world, `cron-${i}`, new Random(SEED - i - 1)));
  };
  const workers = Array.from({ length: LIVE }, worker);
  await Promise.all([...workers, ...Array.from({ length: SCHEDULES }, schedule)]);
  return judges;
}

/** The problems, by run. */
async function verdicts(judges: ReadonlyMap<string, Judge>) {
  const wrong: Record<string, readonly string[]> = {};
  for (const [name, judge] of judges) {
    const found = await judge();
    if (found.length > 0) wrong[name] = found;
  }
  return wrong;
}

/** Containers, processes and instances that were not removed in time. */
async function leftovers(world: World): Promise<readonly string[]> {
  const { home, testHosts } = world;
  for (const limit = Date.now() + CALM_MS; ; await delay(200)) {
    const lists = await Promise.all(
      testHosts.hosts.map(({ docker }) => docker.listContainers({ all: true })),
    );
    const left = [
      ...lists.flat().map(({ Names }) => `container ${Names}`),
      ...supervisors(home).map((pid) => `process ${pid}`),
      ...(await unwanted(world)),
    ];
    if (left.length === 0 || Date.now() > limit) return left;
  }
}

const supervisors = (home: Installation) =>
  home.processes().filter((pid) => commandOf(pid).includes('supervisor.js'));

interface ShownFleet {
  readonly name: string;
  readonly instances: readonly { readonly name: string; readonly status: string }[];
}

/** Fleets of guests, and instances that are not idle. */
async function unwanted(world: World): Promise<string[]> {
  const fleets = await post<ShownFleet[]>(world, '/api/project/main/fleets/list', {});
  return fleets.flatMap((fleet) => [
    ...(fleet.name.startsWith('fleet-of-') ? [`fleet ${fleet.name}`] : []),
    ...fleet.instances
      .filter(({ status }) => status !== 'idle')
      .map(({ name, status }) => `instance ${name}, which is ${status}`),
  ]);
}
