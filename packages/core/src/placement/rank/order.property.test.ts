import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareRanks, ORDER, type Rank } from './order.ts';

const rank = fc.record({
  priority: fc.integer({ min: 0, max: 2 }),
  queuedAt: fc.integer({ min: 0, max: 3 }),
  runId: fc.constantFrom('a', 'b', 'c'),
  replicaNum: fc.integer({ min: 0, max: 2 }),
});

const same = (a: Rank, b: Rank) => ORDER.every(({ field }) => a[field] === b[field]);

describe('the order of the queue', () => {
  it('is strict and total: of two different gangs one comes first', () => {
    fc.assert(
      fc.property(rank, rank, (a, b) => {
        expect(Math.sign(compareRanks(a, b))).toBe(-Math.sign(compareRanks(b, a)) || 0);
        expect(compareRanks(a, b) === 0).toBe(same(a, b));
      }),
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(rank, rank, rank, (a, b, c) => {
        if (compareRanks(a, b) < 0 && compareRanks(b, c) < 0) {
          expect(compareRanks(a, c)).toBeLessThan(0);
        }
      }),
    );
  });

  it('does not depend on where times begin, nor on their unit', () => {
    fc.assert(
      fc.property(rank, rank, fc.nat(), fc.integer({ min: 1, max: 1000 }), (a, b, epoch, unit) => {
        const moved = (one: Rank) => ({ ...one, queuedAt: one.queuedAt * unit + epoch });
        expect(Math.sign(compareRanks(moved(a), moved(b)))).toBe(Math.sign(compareRanks(a, b)));
      }),
    );
  });

  it('puts a higher priority first, then the older run, then the replicas by number', () => {
    const base = { priority: 0, queuedAt: 5, runId: 'b', replicaNum: 1 };
    const queue = [
      { ...base, priority: 1, queuedAt: 9 },
      { ...base, queuedAt: 4, runId: 'c' },
      { ...base, replicaNum: 0 },
      base,
    ];
    expect(queue.toReversed().sort(compareRanks)).toEqual(queue);
  });
});
