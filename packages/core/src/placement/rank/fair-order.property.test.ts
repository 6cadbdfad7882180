import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ShareLedger } from '../../shares/share-ledger.ts';
import { type FairRank, inFairOrder } from './fair-order.ts';
import { compareRanks } from './order.ts';

const PROJECTS = ['a', 'b', 'c'];
const USERS = ['ann', 'bob'];

const rank: fc.Arbitrary<FairRank> = fc.record({
  projectId: fc.constantFrom(...PROJECTS),
  userId: fc.constantFrom(...USERS),
  priority: fc.integer({ min: 0, max: 2 }),
  queuedAt: fc.integer({ min: 0, max: 5 }),
  runId: fc.constantFrom('r', 's', 't'),
  replicaNum: fc.integer({ min: 0, max: 2 }),
});
const queue = fc.uniqueArray(rank, { maxLength: 25, selector: (one) => JSON.stringify(one) });
const amounts = fc.array(fc.nat({ max: 4 }), { minLength: 6, maxLength: 6 });

const ledgerOf = (used: readonly number[]) =>
  new ShareLedger(
    {
      states: PROJECTS.flatMap((projectId, p) =>
        USERS.map((userId, u) => ({
          ...{ projectId, userId, rate: 0, usage: used[p * USERS.length + u] ?? 0 },
        })),
      ),
      gpuPrices: {},
    },
    [],
  );

describe('the order of a pool that is shared by weight', () => {
  it('has every gang once, and does not depend on the order in which they are given', () => {
    fc.assert(
      fc.property(queue, amounts, fc.func(fc.nat()), (gangs, used, key) => {
        const order = [...inFairOrder(gangs, (one) => one, ledgerOf(used))];
        expect(new Set(order)).toEqual(new Set(gangs));
        expect(order).toHaveLength(gangs.length);
        const shuffled = gangs.toSorted((a, b) => key(a) - key(b));
        expect([...inFairOrder(shuffled, (one) => one, ledgerOf(used))]).toEqual(order);
      }),
    );
  });

  it('is first in, first out within a project, priority and user', () => {
    fc.assert(
      fc.property(queue, amounts, amounts, (gangs, used, claimed) => {
        const shares = ledgerOf(used);
        const order: FairRank[] = [];
        for (const one of inFairOrder(gangs, (rank_) => rank_, shares)) {
          shares.claim(one, (claimed[order.length % claimed.length] ?? 0) * 1_000_000);
          order.push(one);
        }
        for (const [index, one] of order.entries()) {
          const behind = order
            .slice(index + 1)
            .filter(
              (other) =>
                other.projectId === one.projectId &&
                other.userId === one.userId &&
                other.priority >= one.priority,
            );
          for (const other of behind) expect(compareRanks(one, other)).toBeLessThan(0);
        }
      }),
    );
  });

  it('takes the project of the lowest ratio, in it the highest priority, then the user of the lowest', () => {
    fc.assert(
      fc.property(queue, amounts, (gangs, used) => {
        const shares = ledgerOf(used);
        const order = [...inFairOrder(gangs, (one) => one, shares)];
        for (const [index, one] of order.entries()) {
          for (const other of order.slice(index + 1)) {
            const byProject = shares.compareProjects(one.projectId, other.projectId);
            expect(byProject).toBeLessThanOrEqual(0);
            if (one.projectId !== other.projectId) continue;
            expect(one.priority).toBeGreaterThanOrEqual(other.priority);
            if (one.priority > other.priority) continue;
            expect(
              shares.compareUsers(one.projectId, one.userId, other.userId),
            ).toBeLessThanOrEqual(0);
          }
        }
      }),
    );
  });

  it('gives a project its turns by what those before have claimed', () => {
    const base = { priority: 0, queuedAt: 0, replicaNum: 0, userId: 'ann' };
    const gangs = Array.from({ length: 9 }, (_, n) => ({
      ...{ ...base, projectId: PROJECTS[n % 3] ?? '', runId: `r${n}` },
      queuedAt: n % 3 === 0 ? n : 100 + n,
    }));
    const shares = ledgerOf([2, 0, 0, 0, 0, 0]);
    const turns: string[] = [];
    for (const one of inFairOrder(gangs, (rank_) => rank_, shares)) {
      turns.push(one.projectId);
      shares.claim(one, 1_000_000);
    }
    expect(turns.join('')).toBe('bcbcabcaa');
  });

  it('is that of a choice among all gangs each time, also where other users claim something', () => {
    const claims = fc.array(fc.tuple(fc.constantFrom(...PROJECTS), fc.constantFrom(...USERS)), {
      minLength: 1,
    });
    fc.assert(
      fc.property(queue, amounts, claims, fc.boolean(), (gangs, used, claimed, isOwn) => {
        const shares = ledgerOf(used);
        const left = [...gangs];
        let turn = 0;
        for (const one of inFairOrder(gangs, (rank_) => rank_, shares)) {
          const [next] = inFairOrder(left, (rank_) => rank_, shares.copy());
          expect(one).toEqual(next);
          left.splice(left.indexOf(one), 1);
          const [projectId = '', userId = ''] = claimed[turn++ % claimed.length] ?? [];
          shares.claim(isOwn ? one : { projectId, userId }, 1_000_000);
        }
      }),
    );
  });

  it('compares each gang with few others, however many projects and users have the same ratio', () => {
    const gangs = Array.from({ length: 2000 }, (_, n) => ({
      ...{ projectId: `p${n % 50}`, userId: `u${n % 200}`, runId: `r${n}` },
      ...{ priority: 0, queuedAt: (n * 7919) % 2003, replicaNum: 0 },
    }));
    const shares = ledgerOf([]);
    const projects = vi.spyOn(shares, 'compareProjects');
    const users = vi.spyOn(shares, 'compareUsers');
    expect([...inFairOrder(gangs, (one) => one, shares)]).toHaveLength(2000);
    expect(projects.mock.calls.length + users.mock.calls.length).toBeLessThan(20 * 2000);
  });

  it('has the older head first where ratios are equal, whatever its priority', () => {
    const base = { replicaNum: 0, userId: 'ann' };
    const gangs = [
      { ...base, projectId: 'a', priority: 9, queuedAt: 5, runId: 'urgent' },
      { ...base, projectId: 'b', priority: 0, queuedAt: 4, runId: 'old' },
    ];
    const order = [...inFairOrder(gangs, (one) => one, ledgerOf([]))];
    expect(order.map(({ runId }) => runId)).toEqual(['old', 'urgent']);
  });
});
