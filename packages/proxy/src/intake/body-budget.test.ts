import { describe, expect, it } from 'vitest';
import { BodyBudget } from './body-budget.ts';

const KIB = 1024;

describe('memory for bodies', () => {
  it('is released completely', () => {
    const budget = new BodyBudget(1024 * KIB);
    const leases = ['a', 'b'].map((caller) => budget.open(caller));
    for (const lease of leases) expect(lease.take(300 * KIB)).toBe(true);
    expect(budget.used).toBe(600 * KIB);
    for (const lease of leases) lease.release();
    expect(budget.used).toBe(0);
    expect(budget.open('a').take(300 * KIB)).toBe(true);
  });

  it('lets no caller use more than half of the part for large bodies', () => {
    const budget = new BodyBudget(1024 * KIB);
    expect(budget.open('a').take(64 * KIB + 384 * KIB)).toBe(true);
    expect(budget.open('a').take(64 * KIB + 1)).toBe(false);
    expect(budget.open('b').take(64 * KIB + 384 * KIB)).toBe(true);
    expect(budget.open('c').take(64 * KIB + 1)).toBe(false);
  });

  it('keeps room for small bodies, whatever large ones use', () => {
    const budget = new BodyBudget(1024 * KIB);
    for (const caller of ['a', 'b']) budget.open(caller).take(384 * KIB);
    expect(budget.open('c').take(64 * KIB)).toBe(true);
  });

  it('takes nothing if it refuses', () => {
    const budget = new BodyBudget(1024 * KIB);
    const lease = budget.open('a');
    expect(lease.take(600 * KIB)).toBe(false);
    expect([budget.used, lease.size]).toEqual([0, 0]);
  });

  it('gives an unauthenticated caller a small body, and no more', () => {
    const lease = new BodyBudget(1024 * KIB).open(null);
    expect(lease.take(64 * KIB)).toBe(true);
    expect(lease.take(1)).toBe(false);
  });
});
