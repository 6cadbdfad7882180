import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QuotaState } from '../model/index.ts';
import { usageAfter } from './decay.ts';
import { ShareLedger } from './share-ledger.ts';
import { isShared } from './weights.ts';

const DAY = 86_400;
const WEEK = 7 * DAY;
const rate = fc.nat({ max: 1_000_000_000 });
const seconds = fc.nat({ max: 400 * DAY });
const usage = fc.double({ min: 0, max: 1e9, noNaN: true });

describe('usage', () => {
  it('is half after a half-life, and what runs counts its GPU hours', () => {
    expect(usageAfter({ usage: 1000, rate: 0 }, DAY, WEEK)).toBeCloseTo(905.7, 1);
    expect(usageAfter({ usage: 1000, rate: 0 }, 3 * DAY, WEEK)).toBeCloseTo(743.0, 1);
    expect(usageAfter({ usage: 1000, rate: 0 }, WEEK, WEEK)).toBeCloseTo(500, 6);
    expect(usageAfter({ usage: 0, rate: 10_000_000 }, 500 * WEEK, WEEK)).toBeCloseTo(2423.7, 1);
    const after = usageAfter({ usage: 0, rate: 32_000_000 }, 2 * DAY, WEEK);
    expect(after).toBeCloseTo(1393.5, 1);
    expect(usageAfter({ usage: after, rate: 0 }, 3 * DAY, WEEK)).toBeCloseTo(1035.3, 1);
    expect(usageAfter({ usage: 0, rate: 1_000_000 }, 1, WEEK)).toBeCloseTo(1 / 3600, 9);
  });

  it('is the same however often it is settled in between', () => {
    fc.assert(
      fc.property(usage, rate, seconds, seconds, (before, present, a, b) => {
        const once = usageAfter({ usage: before, rate: present }, a + b, WEEK);
        const half = usageAfter({ usage: before, rate: present }, a, WEEK);
        const twice = usageAfter({ usage: half, rate: present }, b, WEEK);
        expect(Math.abs(once - twice)).toBeLessThanOrEqual(1e-9 * (1 + once));
      }),
    );
  });

  it('is never negative and always finite, whatever the clock and the database say', () => {
    const any = fc.double({ min: -1e12, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(any, any, any, fc.integer({ min: 60, max: 10 * WEEK }), (u, r, t, half) => {
        const after = usageAfter({ usage: u, rate: r }, t, half);
        expect(after >= 0 && Number.isFinite(after)).toBe(true);
        expect(usageAfter({ usage: u, rate: r }, -Math.abs(t), half)).toBe(Math.max(0, u));
      }),
    );
  });

  it('keeps the order of those who use nothing, and the unit of time does not matter', () => {
    fc.assert(
      fc.property(usage, usage, seconds, fc.integer({ min: 1, max: 100 }), (a, b, t, unit) => {
        const later = (u: number, scale: number) =>
          usageAfter({ usage: u, rate: 0 }, t * scale, WEEK * scale);
        if (a < b) expect(later(a, 1)).toBeLessThanOrEqual(later(b, 1));
        expect(later(a, unit)).toBeCloseTo(later(a, 1), 3);
      }),
    );
  });
});

const weightOf = (projectId: string, weight: number | null, userId: string | null = null) =>
  ({
    quota: {
      id: projectId,
      projectId,
      fleetId: null,
      userId,
      guaranteed: null,
      limits: null,
      weight,
    },
    used: {},
  }) satisfies QuotaState;

const ledgerOf = (
  states: readonly [project: string, user: string, usage: number, rate: number][],
  quotas: readonly QuotaState[] = [],
) =>
  new ShareLedger(
    {
      states: states.map(([projectId, userId, used, now]) => ({
        ...{ projectId, userId, usage: used, rate: now },
      })),
      gpuPrices: {},
    },
    quotas,
  );

describe('ratios', () => {
  it('are what was used and an hour of what is used now, for the weight', () => {
    const ledger = ledgerOf(
      [
        ['a', 'ann', 1035.3, 0],
        ['b', 'bob', 182.8, 8_000_000],
      ],
      [weightOf('a', 2), weightOf('b', 4, '*'), weightOf('b', 3, 'bob')],
    );
    expect(ledger.ratioOf('a')).toBeCloseTo(517.65, 6);
    expect(ledger.ratioOf('b')).toBeCloseTo(190.8, 6);
    expect(ledger.ratioOf('b', 'bob')).toBeCloseTo(63.6, 6);
    expect([ledger.weightOf('b', 'bob'), ledger.weightOf('b', 'eve')]).toEqual([3, 4]);
    expect(ledger.compareProjects('b', 'a')).toBeLessThan(0);
    ledger.claim({ projectId: 'b', userId: 'eve' }, 400_000_000);
    expect(ledger.compareProjects('a', 'b')).toBeLessThan(0);
    expect(ledger.compareUsers('b', 'bob', 'eve')).toBeLessThan(0);
  });

  it('are compared exactly: the order is total and transitive for any weights', () => {
    const projects = fc.array(
      fc.tuple(
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        fc.integer({ min: 1, max: 10_000_000 }),
      ),
      { minLength: 3, maxLength: 3 },
    );
    fc.assert(
      fc.property(projects, (drawn) => {
        const ledger = ledgerOf(
          drawn.map(([used], n) => [`p${n}`, 'u', used, 0]),
          drawn.map(([, weight], n) => weightOf(`p${n}`, weight)),
        );
        const compare = (a: number, b: number) => ledger.compareProjects(`p${a}`, `p${b}`);
        expect(compare(0, 1)).toBe(-compare(1, 0) || 0);
        if (compare(0, 1) <= 0 && compare(1, 2) <= 0) expect(compare(0, 2)).toBeLessThanOrEqual(0);
      }),
    );
    const near = ledgerOf(
      [
        ['a', 'u', 123_456_789.000001, 0],
        ['b', 'u', 123_456_789.000002, 0],
      ],
      [weightOf('a', 10_000_000), weightOf('b', 10_000_000)],
    );
    expect(near.compareProjects('a', 'b')).toBe(-1);
  });

  it('count in a pool as soon as one project has a weight; those of users alone in a pool of one', () => {
    const quotas = (...list: QuotaState[]) => list.map(({ quota }) => quota);
    expect(isShared(quotas(weightOf('a', null)), true)).toBe(false);
    expect(isShared(quotas(weightOf('a', 1)), false)).toBe(true);
    expect(isShared(quotas(weightOf('a', 5, '*')), false)).toBe(false);
    expect(isShared(quotas(weightOf('a', 5, '*')), true)).toBe(true);
  });
});
