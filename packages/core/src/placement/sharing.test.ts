/** Cases that broke other schedulers, over time, with and without protection, however long victims take to leave. */
import { describe, expect, it } from 'vitest';
import { SharedPool, type SharedPoolOptions } from './testing-sharing.ts';

const [A, B, C] = ['a', 'b', 'c'];
const LONG = 100_000;

const WAYS = [
  { minRuntime: 0, stops: 0 },
  { minRuntime: 0, stops: 60 },
  { minRuntime: 300, stops: 0 },
  { minRuntime: 300, stops: 60 },
] as const;

interface Way {
  readonly pool: (hosts: number, gpusPerHost?: number, mode?: 'reclaim' | 'priority') => SharedPool;
  readonly run: (
    project: string,
    gpus: number,
    more?: object,
  ) => {
    readonly project: string;
    readonly gpus: number;
    readonly stops: number;
  };
}

describe.each(WAYS)('with min_runtime $minRuntime s and stops of $stops s', (way) => {
  const { minRuntime, stops } = way;
  const pool = (
    hosts: number,
    gpusPerHost = 1,
    mode: NonNullable<SharedPoolOptions['preemption']>['mode'] = 'reclaim',
  ) => new SharedPool({ hosts, gpusPerHost, preemption: { mode, minRuntime, grace: 60 } });
  const run: Way['run'] = (project, gpus, more = {}) => ({ project, gpus, stops, ...more });
  const many = (shared: SharedPool, prefix: string, count: number, project: string, gpus = 1) => {
    for (let n = 0; n < count; n++) shared.submit(`${prefix}${n}`, run(project, gpus));
    return shared;
  };

  it('a project that would exceed its guarantee with the gang ends no run of others (1)', () => {
    const shared = pool(6).quota(A, 3).quota(B, 3);
    many(shared, 'a', 5, A).submit('c', run(C, 1)).submit('more', run(A, 1)).pass(LONG);
    expect(shared.preemptions).toBe(0);
    expect(shared.use).toEqual({ a: 5, c: 1 });
  });

  it('a gang that never fits its limit has no run end; one that fits ends each once (2)', () => {
    const shared = pool(1, 3).quota(A, 3, 3).submit('c', run(C, 1));
    shared.submit('never', run(A, 4)).pass(LONG);
    expect(shared.preemptions).toBe(0);
    shared.stop('never').submit('three', run(A, 3)).pass(LONG);
    expect(shared.running).toEqual(['three']);
    expect(shared.preemptions).toBe(1);
  });

  it('what one victim has left stays for the gang until the slower one has left too (3)', () => {
    const shared = pool(1, 8).quota(B, 8);
    shared.submit('fast', { ...run(A, 4), stops: 1 }).submit('slow', { ...run(A, 4), stops: 60 });
    shared.submit('b', run(B, 8)).pass(minRuntime + 30 + 20);
    expect(shared.running).toEqual(['slow']);
    shared.pass(LONG);
    expect(shared.running).toEqual(['b']);
    expect(shared.preemptions).toBe(2);
  });

  it('of an elastic run of singles as many end as are owed, and none later (4)', () => {
    const shared = many(pool(11).quota(A, 5, 10).quota(B, 5, 10), 'a', 10, A);
    many(shared, 'b', 10, B).pass(LONG);
    expect(shared.use).toEqual({ a: 6, b: 5 });
    expect(shared.preemptions).toBe(4);
  });

  it('a gang that straddles the guarantee is borrowed as a whole, and takes nothing back (5)', () => {
    const shared = pool(1, 20).quota(A, 10).quota(B, 10);
    shared.submit('twelve', run(A, 12)).submit('eight', run(B, 8)).submit('two', run(B, 2));
    shared.pass(LONG);
    expect(shared.running).toEqual(['eight', 'two']);
    expect(shared.preemptions).toBe(1);
  });

  it('two lenders give back what each borrows, and neither falls below its guarantee (6)', () => {
    const shared = many(pool(64).quota(A, 32).quota(B, 16).quota(C, 16), 'a', 16, A);
    many(many(shared, 'b', 24, B), 'c', 24, C);
    many(shared, 'more', 16, A).pass(LONG);
    expect(shared.use).toEqual({ a: 32, b: 16, c: 16 });
    expect(shared.preemptions).toBe(16);
  });

  it('one of many on a host ends for one (7)', () => {
    const shared = many(pool(1, 11).quota(B, 1), 'a', 11, A);
    shared.submit('b', run(B, 1)).pass(LONG);
    expect(shared.use).toEqual({ a: 10, b: 1 });
    expect(shared.preemptions).toBe(1);
  });

  it('one of ten gangs ends as a whole, and nine are untouched (8)', () => {
    const shared = pool(100).quota(B, 10);
    for (let n = 0; n < 10; n++) shared.submit(`a${n}`, run(A, 1, { nodes: 10 }));
    shared.submit('b', run(B, 1, { nodes: 10 })).pass(LONG);
    expect(shared.preemptions).toBe(1);
    expect(shared.running).toHaveLength(10);
    expect(shared.running).toContain('b');
  });

  it('an idle host is combined with that of a lower priority, and kept meanwhile (9)', () => {
    const shared = pool(2, 1, 'priority').submit('low', run(A, 1, { priority: 1 }));
    shared.submit('high', run(A, 1, { nodes: 2, priority: 9 }));
    shared
      .pass(minRuntime)
      .submit('late', run(A, 1, { priority: 1 }))
      .pass(LONG);
    expect(shared.running).toEqual(['high']);
    expect(shared.preempted).toEqual(new Map([['low', 1]]));
  });

  it('the one that is large enough ends, and none beside it (11)', () => {
    const shared = pool(1, 10).quota(B, 8).submit('old', run(A, 8)).pass(1000);
    shared.submit('young', run(A, 2)).pass(400).submit('b', run(B, 8)).pass(LONG);
    expect(shared.running).toEqual(['young', 'b']);
    expect(shared.preempted).toEqual(new Map([['old', 1]]));
  });

  it('a gang that waits for its own project leaves idle hosts to those that end before (15)', () => {
    const shared = pool(200).quota(A, 200);
    shared.submit('half', run(A, 1, { nodes: 100, limit: 1000, runs: 1000 }));
    shared.submit('head', run(A, 1, { nodes: 200 })).pass(10);
    shared.submit('short', run(B, 1, { nodes: 100, limit: 500, runs: 500 })).pass(10);
    expect(shared.running).toEqual(['half', 'short']);
    shared.pass(LONG);
    expect(shared.running).toEqual(['head']);
    expect(shared.preemptions).toBe(0);
  });

  it('a stream of short runs of another project does not keep a large gang waiting (16)', () => {
    const shared = pool(8);
    const limits = { limit: 600, runs: 600 };
    for (let n = 0; n < 8; n++) shared.submit(`b${n}`, run(B, 1, limits)).pass(30);
    shared.submit('large', run(A, 1, { nodes: 8 }));
    for (let n = 8; n < 40; n++) shared.submit(`b${n}`, run(B, 1, limits)).pass(30);
    expect(shared.running).toEqual(['large']);
  });

  it('singles of its own project do not keep a gang below the limit waiting (17)', () => {
    const shared = pool(16).quota(A, null, 8);
    for (let n = 0; n < 7; n++) shared.submit(`a${n}`, run(A, 1, { runs: 600 })).pass(60);
    shared.submit('four', run(A, 1, { nodes: 4 }));
    for (let n = 7; n < 20; n++) shared.submit(`a${n}`, run(A, 1, { runs: 600 })).pass(30);
    shared.pass(600);
    expect(shared.running).toContain('four');
  });

  it('those stay whom a gang has asked that is stopped, or finds another place (18)', () => {
    const lent = () => pool(2).quota(A, 1).submit('b0', run(B, 1)).submit('b1', run(B, 1));
    const stopped = lent()
      .submit('a', run(A, 1))
      .pass(minRuntime + 1);
    expect(stopped.leaving).toHaveLength(1);
    stopped.stop('a').pass(LONG);
    expect([stopped.preemptions, stopped.leaving]).toEqual([0, []]);
    const elsewhere = lent()
      .submit('a', run(A, 1))
      .pass(minRuntime + 1);
    const [leaving] = elsewhere.leaving;
    elsewhere.stop(leaving === 'b0' ? 'b1' : 'b0').pass(LONG);
    expect(elsewhere.preemptions).toBe(0);
    expect(elsewhere.running).toContain('a');
  });

  it('two that ask need no more than both of them, and no victim leaves for two (21)', () => {
    const shared = many(pool(1, 8).quota(A, 2).quota(C, 3), 'b', 8, B);
    shared.submit('x', run(A, 2)).submit('y', run(C, 3)).pass(LONG);
    expect(shared.use).toEqual({ a: 2, b: 3, c: 3 });
    expect(shared.preemptions).toBe(5);
  });

  it('a lowered guarantee ends nothing by itself, and what it covered can be taken back (22)', () => {
    const shared = many(pool(4).quota(A, 4), 'b', 4, B);
    many(shared, 'a', 4, A).pass(LONG);
    expect(shared.use).toEqual({ a: 4 });
    shared.quota(A, 1).pass(LONG);
    expect(shared.use).toEqual({ a: 4 });
    shared.quota(B, 2).submit('again', run(B, 1)).pass(LONG);
    expect(shared.use).toEqual({ a: 2, b: 2 });
  });

  it('the gang that asked starts before a victim of the same size that is older (27)', () => {
    const shared = pool(1).quota(A, 1).submit('old', run(B, 1)).pass(1000);
    shared.submit('a', run(A, 1)).pass(LONG);
    expect(shared.running).toEqual(['a']);
    expect(shared.preempted).toEqual(new Map([['old', 1]]));
  });

  it('the gang that asked first starts first, whatever the priority of another that is owed too (27)', () => {
    const shared = pool(2).quota(A, 1).quota(C, 1).submit('b0', run(B, 1)).submit('b1', run(B, 1));
    shared.pass(minRuntime).submit('x', run(A, 1)).pass(10);
    shared.submit('y', run(C, 1, { priority: 9 })).pass(20 + stops);
    expect(shared.running).toContain('x');
    shared.pass(LONG);
    expect(shared.running).toEqual(['x', 'y']);
    expect(shared.preemptions).toBe(2);
  });

  it('guarantees beyond what is left after a loss take nothing from each other (28)', () => {
    const shared = many(many(pool(10).quota(A, 5).quota(B, 5), 'a', 5, A), 'b', 5, B);
    for (const host of [0, 1, 2]) shared.lose(host);
    shared.pass(LONG);
    expect(shared.preemptions).toBe(0);
    expect(shared.running).toHaveLength(7);
  });

  it('a world that stays the same comes to rest, after finitely many preemptions', () => {
    const shared = pool(12).quota(A, 4).quota(B, 4);
    many(many(many(shared, 'c', 12, C), 'a', 8, A), 'b', 8, B).pass(LONG);
    const { preemptions, use } = shared;
    expect(use).toMatchObject({ a: 4, b: 4 });
    expect(preemptions).toBe(8);
    shared.pass(10 * LONG);
    expect(shared.preemptions).toBe(preemptions);
  });
});
