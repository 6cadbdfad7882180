import { latencyBucket } from '@dstack/contract/load';
import type { AutoscalingRule } from '@dstack/contract/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ScalingTrack } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { latencyPercentile } from './latency-buckets.ts';
import { requiredReplicas } from './recommendation.ts';
import { stabilise } from './stabilise.ts';

const delays = { scale_up_delay: 30, scale_down_delay: 120 };
const METRICS = ['rps', 'concurrency', 'latency', 'gpu', 'prometheus'] as const;
const rule = (metric: (typeof METRICS)[number], target = 10): AutoscalingRule =>
  ({ metric, target, window: null, percentile: null, url: '', query: '', ...delays }) as never;

const value = fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: null });
const size = fc
  .record({
    ...{ min: fc.nat(5), more: fc.nat(20), at: fc.nat(25), ready: fc.nat(25) },
    ...{ isUsed: fc.boolean(), isSettling: fc.boolean() },
  })
  .map(({ more, at, ready, ...rest }) => {
    const max = Math.max(1, rest.min + more);
    const current = Math.min(rest.min + at, max);
    return { ...rest, max, current, ready: Math.min(ready, current) };
  });
const rules = fc
  .tuple(fc.constantFrom(...METRICS), fc.double({ min: 0.001, max: 100, noNaN: true }))
  .map(([metric, target]) => rule(metric, target));

describe('a rule', () => {
  it('never requires more than the maximum or less than the minimum', () => {
    fc.assert(
      fc.property(rules, value, size, (one, figure, group) => {
        const wanted = requiredReplicas(one, figure, group);
        expect(wanted).toBeGreaterThanOrEqual(group.min);
        expect(wanted).toBeLessThanOrEqual(group.max);
        expect(Number.isInteger(wanted)).toBe(true);
      }),
    );
  });

  it('requires no replica only if the minimum is 0 and the service is unused', () => {
    fc.assert(
      fc.property(rules, value, size, (one, figure, group) => {
        if (requiredReplicas(one, figure, group) > 0) return;
        expect([group.min, group.isUsed]).toEqual([0, false]);
      }),
    );
  });

  it('changes nothing if its figure is unknown', () => {
    fc.assert(
      fc.property(rules, size, (one, group) => {
        fc.pre(group.current > 0 && one.metric !== 'latency');
        expect(requiredReplicas(one, null, group)).toBe(group.current);
      }),
    );
  });

  const plain = { current: 2, ready: 2, min: 1, max: 10, isUsed: true, isSettling: false };
  it.each([
    ['rps', 21, {}, 3],
    ['concurrency', 60, {}, 6],
    ['prometheus', 20, {}, 2],
    ['prometheus', 0, { min: 0, isUsed: false }, 0],
    ['gpu', 18, {}, 4],
    ['gpu', 10.5, {}, 2],
    ['gpu', 100, {}, 4],
    ['gpu', 2, {}, 1],
    ['gpu', 0, { min: 0, isUsed: false }, 0],
    // Replicas are starting, or were added a moment ago.
    ['gpu', 18, { ready: 1 }, 2],
    ['gpu', 18, { isSettling: true }, 2],
    ['latency', 30, {}, 4],
    ['latency', 1, { current: 5, ready: 5 }, 4],
    ['latency', null, { min: 0, isUsed: false }, 0],
    ['latency', null, {}, 2],
    // A request waits, whatever is measured.
    ['latency', null, { current: 0, ready: 0, min: 0 }, 1],
    ['rps', 50, { current: 0, ready: 0, min: 0 }, 5],
  ] as const)('%s %s for %j requires %s replicas', (metric, figure, part, wanted) => {
    expect(requiredReplicas(rule(metric), figure, { ...plain, ...part })).toBe(wanted);
  });
});

describe('the number of replicas', () => {
  it('changes only after one direction was required for the whole delay', () => {
    const step = fc.record({ seconds: fc.integer({ min: 1, max: 60 }), wanted: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let [now, current, track] = [0, 3, null as ScalingTrack | null];
        // Collects the requirements since the last change of the count.
        let seen: { readonly at: number; readonly wanted: number }[] = [];
        for (const { seconds, wanted } of steps) {
          now += seconds * SECOND;
          seen.push({ at: now, wanted });
          const asked = { current, wanted, now, upDelay: 30, downDelay: 120 };
          const { count, track: next } = stabilise(track, asked);
          track = next;
          if (count === current) continue;
          const delay = current === 0 ? 0 : count > current ? 30 : 120;
          const beyond = ({ wanted: one }: { readonly wanted: number }) =>
            count > current ? one >= count : one <= count;
          const broken = seen.findLastIndex((one) => !beyond(one));
          const began = seen[broken + 1]?.at ?? Number.NaN;
          expect(now - began).toBeGreaterThanOrEqual(delay * SECOND);
          current = count;
          seen = [];
        }
      }),
    );
  });
});

it('the percentile of latencies is at most a quarter above the exact one', () => {
  const latencies = fc.array(fc.double({ min: 1, max: 1e6, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(latencies, fc.constantFrom(0.5, 0.95, 0.99), (all, part) => {
      const counts: Record<number, number> = {};
      for (const ms of all) {
        counts[latencyBucket(ms)] = (counts[latencyBucket(ms)] ?? 0) + 1;
      }
      const exact = all.toSorted((a, b) => a - b)[Math.ceil(all.length * part) - 1] ?? 0;
      const found = (latencyPercentile(counts, part) ?? 0) * 1000;
      expect(found).toBeGreaterThanOrEqual(exact * 0.999);
      expect(found).toBeLessThanOrEqual(exact * 1.251);
    }),
  );
  expect(latencyPercentile({}, 0.5)).toBeNull();
});
