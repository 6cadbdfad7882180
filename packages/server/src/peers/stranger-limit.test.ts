import { beforeEach, describe, expect, it } from 'vitest';
import { StrangerLimit } from './stranger-limit.ts';

let now: number;
let evicted: string[];
let limit: StrangerLimit;
beforeEach(() => {
  now = 0;
  evicted = [];
  limit = new StrangerLimit({ perNetwork: 3, total: 6, graceMs: 1000 }, () => now);
});

const enter = (network: string, name = network) => limit.enter(network, () => evicted.push(name));

/** Enters up to `count` clients of the network, and returns how many had room. */
function fill(network: string, count: number): number {
  const names = Array.from({ length: count }, (_, at) => `${network}${at}`);
  return names.filter((name) => enter(network, name) !== null).length;
}

describe('strangers', () => {
  it('of one network reach at most the limit, and each makes room when it leaves', () => {
    const leave = enter('a');
    expect(fill('a', 3)).toBe(2);
    leave?.();
    leave?.();
    expect([fill('a', 2), limit.count, evicted]).toEqual([1, 3, []]);
  });

  it('make room for those of their network once they have had their time', () => {
    fill('a', 3);
    now = 999;
    expect(enter('a')).toBeNull();
    now = 1000;
    expect(enter('a')).not.toBeNull();
    expect([evicted, limit.count]).toEqual([['a0'], 3]);
  });

  it('of a network with many make room at once for one with fewer, if the limit of all is reached', () => {
    fill('a', 3);
    fill('b', 3);
    expect(enter('c')).not.toBeNull();
    expect([evicted, limit.count]).toEqual([['a0'], 6]);
  });

  it('of many networks with one each make room by their age', () => {
    for (const network of ['a', 'b', 'c', 'd', 'e', 'f']) enter(network);
    expect(enter('g')).toBeNull();
    now = 1000;
    expect(enter('g')).not.toBeNull();
    expect([evicted, limit.count]).toEqual([['a'], 6]);
  });

  it('that were evicted are counted once when they leave', () => {
    const leave = enter('a', 'first');
    fill('a', 2);
    now = 1000;
    enter('a');
    leave?.();
    expect([evicted, limit.count]).toEqual([['first'], 3]);
  });
});
