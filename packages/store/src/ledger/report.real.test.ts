import {
  amountsWithin,
  type Change,
  NO_AMOUNTS,
  type PricedInterval,
  plusAmounts,
} from '@dstack/core';
import * as builders from '@dstack/core/testing';
import { Random } from '@dstack/testkit/random';
import { expect, it } from 'vitest';
import { insertFleetWithNodes, insertRun } from '../testing/insert.ts';
import { projectRecord, userRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type StoreTests } from '../testing/stores.ts';
import type { LedgerQuestion } from './types.ts';

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
const T0 = builders.T0;
const NOW = T0 + 40 * DAY;

/** Two projects with two users and a fleet each, whose jobs use both fleets. */
async function scene(tests: StoreTests) {
  const world = await openWorld(tests, { now: () => NOW });
  const bob = userRecord({ name: 'bob' });
  const lab = projectRecord(bob.id, { name: 'lab' });
  await world.store.users.insert(bob);
  await world.store.projects.insert(lab);
  const projects = [world.projectId, lab.id];
  const users = [world.userId, bob.id];
  return { world, projects, users, bob };
}

function randomIntervals(seed: number, projects: string[], users: string[]): PricedInterval[] {
  const random = new Random(seed);
  const machine = (n: number) => ({
    ...{ projectId: projects[n % 2] ?? '', fleetId: `fleet-${n % 2}`, fleetName: `f${n % 2}` },
    ...{ instanceId: `i${n}`, price: n === 3 ? null : 1_234_567 * (n + 1), totalBlocks: 4 },
    ...{ gpus: n, gpu: n === 0 ? '' : `G${n % 2}` },
  });
  return Array.from({ length: 60 }, (_, i): PricedInterval => {
    const since = T0 + random.whole(0, 39 * 24) * HOUR + random.whole(0, 1e9);
    const until = Math.min(NOW, since + random.whole(1, 3 * DAY));
    const place = { ...machine(random.whole(0, 3)), since, until };
    if (random.chance(0.3)) return { ...place, subjectId: place.instanceId, run: null, blocks: 4 };
    const n = random.whole(0, 5);
    const tags: Record<string, string> = n > 3 ? {} : { team: `t${n % 2}`, a: 'x' };
    return {
      ...place,
      ...{ subjectId: `j${i}`, projectId: projects[n % 2] ?? '', blocks: random.whole(1, 4) },
      run: { id: `r${n}`, name: `run-${n}`, userId: users[n % 2] ?? '', tags },
    };
  });
}

/** On one of the days of the period. */
const isWithinDays = (one: PricedInterval, since: number, until: number): boolean =>
  one.until > Math.floor(since / DAY) * DAY && one.since < (Math.floor(until / DAY) + 1) * DAY;

const enter = (intervals: readonly PricedInterval[]) =>
  intervals.map((interval): Change => ({ type: 'ledger.append', interval }));

forEachStore((tests) => {
  it('sums up exactly what the intervals amount to within the period, by every group', async () => {
    const { world, projects, users } = await scene(tests);
    const intervals = randomIntervals(7, projects, users);
    for (let i = 0; i < intervals.length; i += 9) {
      await world.store.engine.apply(enter(intervals.slice(i, i + 9)));
    }
    const periods = [
      [T0, NOW],
      [T0 + 7 * HOUR + 11, T0 + 31 * DAY + 5 * HOUR],
      [T0 + 5 * DAY, T0 + 6 * DAY],
      [T0 + 5 * DAY + HOUR, T0 + 5 * DAY + 9 * HOUR],
      [T0 + 30 * DAY + 1, NOW + DAY],
    ] as const;
    for (const [since, until] of periods) {
      const sum = (chosen: readonly PricedInterval[]) =>
        chosen.map((one) => amountsWithin(one, since, until)).reduce(plusAmounts, NO_AMOUNTS);
      const jobs = intervals.filter(({ run }) => run !== null);
      const own = jobs.filter(({ projectId }) => projectId === projects[0]);
      const question = { since, until, now: NOW, tag: 'team' };
      const read = (more: Pick<LedgerQuestion, 'by' | 'projectIds'>) =>
        world.store.ledger.report({ ...question, ...more });
      for (const by of ['run', 'user', 'project', 'fleet', 'gpu', 'tag', 'day'] as const) {
        const all = await read({ by, projectIds: null });
        expect([by, all.used]).toEqual([by, sum(jobs)]);
        expect(all.rows.map(({ used }) => used).reduce(plusAmounts, NO_AMOUNTS)).toEqual(all.used);
        const mine = await read({ by, projectIds: [projects[0] ?? ''] });
        expect([by, mine.used]).toEqual([by, sum(own)]);
        const machines = intervals.filter(
          ({ run, fleetId }) => run === null && fleetId === 'fleet-0',
        );
        const onThem = jobs.filter(({ fleetId }) => fleetId === 'fleet-0');
        const isKnown = machines.some((one) => isWithinDays(one, since, until));
        const idle = isKnown ? sum(machines).cost - sum(onThem).cost : 0;
        expect([by, mine.idle.cost]).toEqual([by, idle]);
      }
      const byTag = await read({ by: 'tag', projectIds: null });
      for (const { tag, used } of byTag.rows) {
        expect(used).toEqual(sum(jobs.filter(({ run }) => (run?.tags.team ?? '') === tag)));
      }
      const byRun = await read({ by: 'run', projectIds: null });
      for (const { runName, used } of byRun.rows) {
        expect(used).toEqual(sum(jobs.filter(({ run }) => run?.name === runName)));
      }
    }
    expect(
      (
        await world.store.ledger.report({
          projectIds: [],
          since: T0,
          until: NOW,
          now: NOW,
          by: 'run',
        })
      ).rows,
    ).toEqual([]);
  });

  it('counts what runs up to now, once, also while it ends', async () => {
    const { world } = await scene(tests);
    const { fleet, instances } = await insertFleetWithNodes(world, { name: 'hosts' });
    const { run, jobs } = await insertRun(
      world,
      { name: 'train', fleetId: fleet.id, status: 'running' },
      [
        {
          instanceId: instances[0]?.id ?? '',
          claimedBlocks: 1,
          provisionedAt: NOW - 2 * HOUR,
          status: 'running',
        },
      ],
    );
    const offer = builders.anOffer({ gpus: 2, gpu: 'H100', price: 8 });
    const [host] = instances;
    const [job] = jobs;
    if (!host || !job) throw new Error('nothing was inserted');
    const set = { offer, price: 8, totalBlocks: 2, startedAt: NOW - 3 * HOUR };
    await world.store.engine.apply([{ type: 'instance.update', id: host.id, version: 0, set }]);
    const read = async () => {
      const question = { projectIds: [world.projectId], since: NOW - DAY, until: NOW, now: NOW };
      const { rows, used, idle } = await world.store.ledger.report({ ...question, by: 'fleet' });
      const view = await world.store.runs.byId(run.id);
      return {
        fleets: rows.map(({ fleetName }) => fleetName),
        used: used.cost,
        idle: idle.cost,
        run: view?.cost,
      };
    };
    const expected = { fleets: ['fleet'], used: 8_000_000, idle: 16_000_000, run: 8_000_000 };
    expect(await read()).toEqual(expected);
    const interval = {
      ...{ subjectId: job.id, instanceId: host.id, projectId: world.projectId, fleetId: fleet.id },
      ...{ run: { id: run.id, name: run.name, userId: world.userId, tags: {} } },
      ...{ fleetName: 'fleet', price: 8_000_000, blocks: 1, totalBlocks: 2, gpus: 2, gpu: 'H100' },
      ...{ since: NOW - 2 * HOUR, until: NOW },
    };
    const leave = { instanceId: null, claimedBlocks: 0, status: 'done' as const, finishedAt: NOW };
    await world.store.engine.apply([
      { type: 'job.update', id: job.id, version: 0, set: leave },
      { type: 'ledger.append', interval },
    ]);
    expect(await read()).toEqual(expected);
  });

  it('names deleted users as they were called', async () => {
    const { world, bob, projects, users } = await scene(tests);
    await world.store.engine.apply(enter(randomIntervals(3, projects, users)));
    await world.store.users.delete([bob.id]);
    const question = { projectIds: null, since: T0, until: NOW, now: NOW, by: 'user' } as const;
    const { rows } = await world.store.ledger.report(question);
    expect(rows.map(({ userName }) => userName).sort()).toEqual(['alice', 'bob']);
  });
});
