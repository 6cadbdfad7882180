import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PricedInterval } from '../model/index.ts';
import { anOffer, instanceRecord, jobRecord, runRecord, T0 } from '../testing/records.ts';
import { amountsWithin, dayParts, NO_AMOUNTS, plusAmounts } from './amounts-of.ts';
import { instanceInterval, jobInterval } from './intervals.ts';

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
const offer = anOffer({ gpus: 8, gpu: 'H100', price: 20 });
const machine = instanceRecord({ offer, price: 20, totalBlocks: 8, startedAt: T0 });
const run = runRecord({ id: 'r', name: 'train', userId: 'ann' });

const sum = (intervals: readonly (PricedInterval | null)[]) =>
  intervals
    .flatMap((one) => (one === null ? [] : dayParts(one)))
    .reduce((all, { amounts }) => plusAmounts(all, amounts), NO_AMOUNTS);

describe('an interval', () => {
  it('of a machine costs its price, and that of a job its blocks of it', () => {
    expect(sum([instanceInterval(machine, T0 + 90 * 60_000_000)])).toEqual({
      ...{ ms: 5_400_000, gpuMs: 8 * 5_400_000, cost: 30_000_000, unpricedMs: 0 },
    });
    const job = jobRecord({ provisionedAt: T0 + HOUR, claimedBlocks: 2 });
    const interval = jobInterval(job, run, machine, T0 + 3 * HOUR);
    expect(interval).toMatchObject({ fleetName: 'cloud', gpu: 'H100', run: { name: 'train' } });
    expect(sum([interval])).toEqual({
      ms: 7_200_000,
      gpuMs: 14_400_000,
      cost: 10_000_000,
      unpricedMs: 0,
    });
  });

  it('without a known price has time, and no cost', () => {
    for (const price of [0, Number.NaN, 1e300]) {
      const unknown = { ...machine, price };
      expect(instanceInterval(unknown, T0 + HOUR)).toMatchObject({ price: null });
      expect(sum([instanceInterval(unknown, T0 + HOUR)])).toMatchObject({
        ...{ cost: 0, unpricedMs: 3_600_000, gpuMs: 8 * 3_600_000 },
      });
    }
  });

  it('is none where no time has passed, where the clock was set back, and before the beginning', () => {
    expect(instanceInterval(machine, T0)).toBeNull();
    expect(instanceInterval(machine, T0 - HOUR)).toBeNull();
    expect(instanceInterval({ ...machine, startedAt: null }, T0 + HOUR)).toBeNull();
    expect(instanceInterval({ ...machine, finishedAt: T0 + 1 }, T0 + HOUR)).toBeNull();
    const job = jobRecord({ provisionedAt: T0, claimedBlocks: 1 });
    expect(jobInterval({ ...job, provisionedAt: null }, run, machine, T0 + HOUR)).toBeNull();
    expect(jobInterval({ ...job, claimedBlocks: 0 }, run, machine, T0 + HOUR)).toBeNull();
    expect(jobInterval(job, run, machine, T0 - 1)).toBeNull();
  });

  it('of a job ends with its machine, and begins anew when the price changes', () => {
    const job = jobRecord({ provisionedAt: T0, claimedBlocks: 1 });
    const ended = { ...machine, finishedAt: T0 + HOUR };
    expect(jobInterval(job, run, ended, T0 + 5 * HOUR)).toMatchObject({ until: T0 + HOUR });
    const repriced = { ...machine, pricedSince: T0 + HOUR };
    expect(jobInterval(job, run, repriced, T0 + 5 * HOUR)).toMatchObject({ since: T0 + HOUR });
    expect(instanceInterval(repriced, T0 + 5 * HOUR)).toMatchObject({ since: T0 + HOUR });
  });

  it('has a part for each day of UTC', () => {
    const interval = instanceInterval(machine, T0 + DAY + HOUR);
    const parts = interval === null ? [] : dayParts(interval);
    expect(parts.map(({ day, amounts }) => [day, amounts.cost])).toEqual([
      [T0 / DAY, 480_000_000],
      [T0 / DAY + 1, 20_000_000],
    ]);
  });

  it('of a machine whose clock was decades behind has no bill of decades', () => {
    const interval = instanceInterval({ ...machine, startedAt: 5 }, T0);
    expect(interval === null ? 0 : dayParts(interval).length).toBeLessThan(1100);
  });
});

/** A machine, the changes of its price, and jobs one after the other on each of its blocks. */
const story = fc.record({
  totalBlocks: fc.integer({ min: 1, max: 12 }),
  gpus: fc.integer({ min: 0, max: 16 }),
  begin: fc.integer({ min: 0, max: 3 * DAY }),
  steps: fc.array(
    fc.record({
      wait: fc.oneof(fc.constant(0), fc.constant(1), fc.integer({ min: -HOUR, max: 3 * DAY })),
      action: fc.oneof(
        fc.record({ price: fc.constantFrom(0, 0.000001, 0.35, 7.77, 98.765432) }),
        fc.record({ take: fc.integer({ min: 1, max: 12 }) }),
        fc.record({ leave: fc.nat({ max: 5 }) }),
      ),
    }),
    { maxLength: 25 },
  ),
});

describe('the jobs of a machine and its idle time', () => {
  it('cost what the machine costs, to the micro-dollar, whatever begins, ends and changes when', () => {
    fc.assert(
      fc.property(story, ({ totalBlocks, gpus, begin, steps }) => {
        let now = T0 + begin;
        let clock = now;
        let instance = instanceRecord({
          ...{ offer: anOffer({ gpus, price: 3.1 }), price: 3.1, totalBlocks, startedAt: now },
        });
        let jobs: ReturnType<typeof jobRecord>[] = [];
        const paid: PricedInterval[] = [];
        const pay = (...intervals: readonly (PricedInterval | null)[]) => {
          paid.push(...intervals.flatMap((one) => one ?? []));
        };
        for (const { wait, action } of steps) {
          clock += wait;
          // The time of servers does not go back further than this.
          now = Math.max(now, clock);
          if ('price' in action) {
            pay(
              instanceInterval(instance, now),
              ...jobs.map((job) => jobInterval(job, run, instance, now)),
            );
            instance = { ...instance, price: action.price, pricedSince: now };
          } else if ('take' in action) {
            const busy = jobs.reduce((all, job) => all + job.claimedBlocks, 0);
            const claimedBlocks = Math.min(action.take, totalBlocks - busy);
            if (claimedBlocks > 0) jobs.push(jobRecord({ provisionedAt: now, claimedBlocks }));
          } else {
            const [job] = jobs.slice(action.leave, action.leave + 1);
            if (job === undefined) continue;
            pay(jobInterval(job, run, instance, now));
            jobs = jobs.filter((one) => one !== job);
          }
        }
        pay(
          ...jobs.map((job) => jobInterval(job, run, instance, now)),
          instanceInterval(instance, now),
        );
        const whole = sum(paid.filter((one) => one.run === null));
        const used = sum(paid.filter((one) => one.run !== null));
        const idle = whole.cost - used.cost;
        expect(idle).toBeGreaterThanOrEqual(0);
        expect(whole.gpuMs - used.gpuMs).toBeGreaterThanOrEqual(0);
        expect(used.cost + idle).toBe(whole.cost);
        expect([whole.cost, used.cost, whole.gpuMs].every(Number.isSafeInteger)).toBe(true);
        // No interval is lost or counted twice: where all blocks are one job's, nothing is idle but its rounding.
        for (const interval of paid) {
          const cuts = [interval.since, interval.since + 7, now - HOUR, now];
          const parts = cuts.slice(1).map((to, i) => amountsWithin(interval, cuts[i] ?? 0, to));
          const ordered = cuts.every((cut, i) => i === 0 || cut >= (cuts[i - 1] ?? 0));
          const all = parts.reduce(plusAmounts, NO_AMOUNTS);
          if (ordered) expect(all).toEqual(amountsWithin(interval, interval.since, interval.until));
          expect(sum([interval])).toEqual(amountsWithin(interval, interval.since, interval.until));
        }
      }),
    );
  });

  it('are all of the machine while jobs hold all of it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 40 * DAY }),
        (totalBlocks, time) => {
          const instance = instanceRecord({ offer, price: 7.77, totalBlocks, startedAt: T0 });
          const jobs = Array.from({ length: totalBlocks }, () =>
            jobInterval(
              jobRecord({ provisionedAt: T0, claimedBlocks: 1 }),
              run,
              instance,
              T0 + time,
            ),
          );
          const whole = sum([instanceInterval(instance, T0 + time)]);
          const idle = whole.cost - sum(jobs).cost;
          expect(idle >= 0 && idle < totalBlocks).toBe(true);
        },
      ),
    );
  });
});
