import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlacedGang } from '../../quotas/claims.ts';
import { Lenders } from './lenders.ts';
import { chooseVictims, nextBorrowed } from './victims.ts';

const NOW = 1_000;

interface Drawn {
  readonly project: string;
  readonly size: number;
  readonly host: number;
  readonly priority: number;
}

function gang(name: string, { project, size, host, priority }: Drawn, at: number): PlacedGang {
  const claim = {
    ...{ jobId: name, version: 1, runId: name, projectId: project, replicaNum: 0, priority },
    ...{ instanceId: `host-${host}`, blocks: size, charge: null, claimedAt: at, runningAt: at },
    ...{ isEnding: false, isService: false, isReady: false, eviction: null, fleetId: 'fleet' },
    amounts: { gpu: size },
  };
  return {
    ...{ key: name, runId: name, projectId: project, fleetId: 'fleet', priority },
    ...{ claimedAt: at, claims: [claim], amounts: { gpu: size } },
  };
}

function lendersOf(
  gangs: readonly PlacedGang[],
  guarantees: Readonly<Record<string, number>>,
  weights: Readonly<Record<string, number>> = {},
): Lenders {
  return new Lenders({
    gangs,
    guaranteesOf: (id) => [{ fleetId: null, amounts: { gpu: guarantees[id] ?? 0 } }],
    weightOf: (id) => weights[id] ?? 1,
  });
}

const asked = (lenders: Lenders) => ({ lenders, resources: ['gpu'], now: NOW });

const sizeOf = (gangs: readonly PlacedGang[]): number =>
  gangs.reduce((sum, one) => sum + (one.amounts.gpu ?? 0), 0);

const leaversOf = (gangs: readonly PlacedGang[], lenders: Lenders, wanted: number) =>
  chooseVictims(nextBorrowed(gangs, asked(lenders)), (leaving) => sizeOf(leaving) >= wanted)?.map(
    ({ key }) => key,
  );

const drawn = fc.record({
  project: fc.constantFrom('b', 'c', 'd'),
  size: fc.integer({ min: 1, max: 6 }),
  host: fc.nat({ max: 3 }),
  priority: fc.nat({ max: 2 }),
});

const worlds = fc
  .record({
    gangs: fc.array(drawn, { minLength: 1, maxLength: 8 }),
    guarantees: fc.record({ b: fc.nat({ max: 10 }), c: fc.nat({ max: 10 }), d: fc.constant(0) }),
    weights: fc.record({ b: fc.integer({ min: 1, max: 1e7 }), c: fc.constant(1) }),
    wanted: fc.integer({ min: 1, max: 12 }),
    host: fc.nat({ max: 3 }),
  })
  .map(({ gangs: shapes, guarantees, weights, wanted, host }) => {
    const gangs = shapes.map((shape, index) => gang(`g${index}`, shape, index));
    const onHost = (leaving: readonly PlacedGang[]) =>
      sizeOf(leaving.filter((one) => one.claims[0]?.instanceId === `host-${host}`));
    const fits = (leaving: readonly PlacedGang[]) =>
      onHost(leaving) >= Math.min(2, wanted) && sizeOf(leaving) >= wanted;
    return { gangs, guarantees, lenders: lendersOf(gangs, guarantees, weights), fits };
  });

describe('those who have to leave', () => {
  it('are enough, no one of them is too many, and all of them are borrowed', () => {
    fc.assert(
      fc.property(worlds, ({ gangs, lenders, fits }) => {
        const found = chooseVictims(nextBorrowed(gangs, asked(lenders)), fits);
        if (found === null) return;
        expect(fits(found)).toBe(true);
        expect(lenders.isLegal(found, ['gpu'])).toBe(true);
        for (const one of found) expect(fits(found.filter((other) => other !== one))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('leave their projects at least what these are guaranteed, but for one gang that straddles it', () => {
    fc.assert(
      fc.property(worlds, ({ gangs, guarantees, lenders, fits }) => {
        const most: Readonly<Record<string, number>> = guarantees;
        const found = chooseVictims(nextBorrowed(gangs, asked(lenders)), fits) ?? [];
        for (const one of found) {
          const others = gangs.filter(
            (other) =>
              other.projectId === one.projectId && (!found.includes(other) || other === one),
          );
          expect(sizeOf(others)).toBeGreaterThan(most[one.projectId] ?? 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are none where no project borrows', () => {
    const gangs = [gang('a', { project: 'b', size: 4, host: 0, priority: 0 }, 0)];
    expect(leaversOf(gangs, lendersOf(gangs, { b: 4 }), 1)).toBeUndefined();
    expect(leaversOf(gangs, lendersOf(gangs, { b: 3 }), 1)).toEqual(['a']);
  });

  it('are the one large gang alone where it is needed, not small ones beside it', () => {
    const shape = { project: 'b', host: 0, priority: 0 };
    const gangs = [
      gang('large', { ...shape, size: 8 }, 0),
      gang('small', { ...shape, size: 2 }, 9),
    ];
    expect(leaversOf(gangs, lendersOf(gangs, {}), 8)).toEqual(['large']);
  });

  it('are of both projects alike that borrow alike, one by one', () => {
    const gangs = Array.from({ length: 16 }, (_, n) =>
      gang(`g${n}`, { project: n % 2 === 0 ? 'b' : 'c', size: 1, host: 0, priority: 0 }, n),
    );
    const found = leaversOf(gangs, lendersOf(gangs, { b: 2, c: 2 }), 8) ?? [];
    expect(found).toHaveLength(8);
    expect(found.filter((key) => Number(key.slice(1)) % 2 === 0)).toHaveLength(4);
  });

  it('are those of the lowest priority first, then those that have run least', () => {
    const shape = { project: 'b', size: 1, host: 0 };
    const gangs = [
      gang('old', { ...shape, priority: 0 }, 0),
      gang('young', { ...shape, priority: 0 }, 500),
      gang('urgent', { ...shape, priority: 9 }, 900),
    ];
    expect(leaversOf(gangs, lendersOf(gangs, {}), 1)).toEqual(['young']);
  });
});
