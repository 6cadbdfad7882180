import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateBuckets } from './rate-buckets.ts';
import { limitOf, type RequestLimit, rateKey } from './rate-limits.ts';

const limit = (prefix: string, part: Partial<RequestLimit> = {}): RequestLimit => ({
  ...{ prefix, key: { type: 'ip_address' }, rps: 1, burst: 0, ...part },
});

describe('the limit of a request', () => {
  const limits = ['/', '/v1/', '/v1/chat', '/other', '/größe/'].map((prefix) => limit(prefix));

  it.each([
    ['', '/'],
    ['?a', '/'],
    ['/x', '/'],
    ['/v1', '/'],
    ['/v1/', '/v1/'],
    ['/v1/models?x=/other', '/v1/'],
    ['/v1/chat/completions', '/v1/chat'],
    ['/v1//chat', '/v1/chat'],
    ['//v1/chat', '/v1/chat'],
    ['/v1/./chat', '/v1/chat'],
    ['/x/../v1/chat', '/v1/chat'],
    ['/x/%2e%2e/v1/%63hat', '/v1/chat'],
    ['/v1/chat/..', '/v1/'],
    ['/../../v1/chat', '/v1/chat'],
    ['/%zz/v1', '/'],
    ['/%76%31/chat/%ff', '/v1/chat'],
    ['/%76%31/chat/%', '/v1/chat'],
    ['/%zz/../v1/chat', '/v1/chat'],
    ['/gr%C3%B6%C3%9Fe/x', '/größe/'],
    [Buffer.from('/größe/x').toString('latin1'), '/größe/'],
  ])('%j is the one with the longest prefix: %s', (path, prefix) => {
    expect(limitOf(limits, path)?.prefix).toBe(prefix);
  });

  it('is none if no prefix matches', () => {
    expect(limitOf([limit('/v1/')], '/v2/')).toBeNull();
    expect(limitOf([], '/')).toBeNull();
  });
});

describe('the key of a request', () => {
  const request = { rawHeaders: ['X-User', 'a', 'x-user', 'b', 'X-Empty', ''] };
  const keyOf = (key: RequestLimit['key'], part: object = {}) =>
    rateKey({ runId: 'run', limit: limit('/', { key }), request, address: '1.2.3.4', ...part });

  it('is different for every address, header value, prefix and run', () => {
    const header = { type: 'header', header: 'X-User' } as const;
    const keys = [
      keyOf({ type: 'ip_address' }),
      keyOf({ type: 'ip_address' }, { address: '1.2.3.5' }),
      keyOf({ type: 'ip_address' }, { runId: 'other' }),
      keyOf(header),
      keyOf(header, { request: { rawHeaders: ['x-user', 'a'] } }),
      rateKey({ runId: 'run', limit: limit('/a'), request, address: '1.2.3.4' }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyOf(header, { address: '9.9.9.9' })).toBe(keyOf(header));
  });

  it('is absent if the header is', () => {
    expect(keyOf({ type: 'header', header: 'X-Other' })).toBeNull();
  });
});

describe('requests of one key', () => {
  /** Allows what `limit_req zone=… burst=… nodelay` of nginx allows. Like nginx it counts in thousandths. */
  function nginx(rps: number, burst: number) {
    let last: { excess: number; at: number } | null = null;
    return (at: number): boolean => {
      const excess = last === null ? 0 : Math.max(0, last.excess - rps * (at - last.at) + 1000);
      if (excess > burst * 1000) return false;
      last = { excess, at };
      return true;
    };
  }

  it('are allowed exactly as by nginx', () => {
    const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 50 }), fc.nat(9), (times, rps, burst) => {
        const clock = { now: 1000 };
        const { take } = new RateBuckets(() => clock.now);
        const allows = nginx(rps, burst);
        for (const gap of times) {
          clock.now += gap;
          expect(take('key', { rps, burst }, 'run') === 0).toBe(allows(clock.now));
        }
      }),
    );
  });

  it('get the time of the next allowed one, and refused ones do not count', () => {
    const clock = { now: 0 };
    const { take } = new RateBuckets(() => clock.now);
    const rate = { rps: 0.5, burst: 1 };
    expect([take('a', rate, 'run'), take('a', rate, 'run')]).toEqual([0, 0]);
    for (let i = 0; i < 5; i++) expect(take('a', rate, 'run')).toBe(2);
    clock.now = 1999;
    expect(take('a', rate, 'run')).toBeGreaterThan(0);
    clock.now = 2000;
    expect(take('a', rate, 'run')).toBe(0);
    expect(take('b', rate, 'run')).toBe(0);
  });

  it('count several at once like one after the other', () => {
    const clock = { now: 0 };
    const [together, apart] = [new RateBuckets(() => clock.now), new RateBuckets(() => clock.now)];
    const rate = { rps: 2.5, burst: 6 };
    const asked = { 0: 2, 100: 3, 800: 9, 801: 1, 60000: 1000, 60001: 1000 };
    for (const [at, most] of Object.entries(asked)) {
      clock.now = Number(at);
      const { granted, waitMs } = together.takeUpTo('a', rate, 'run', most);
      const waits = Array.from({ length: most }, () => Number(apart.take('a', rate, 'run')));
      expect(granted).toBe(waits.filter((wait) => wait === 0).length);
      expect(waitMs).toBeCloseTo((waits.find((wait) => wait > 0) ?? 0) * 1000);
    }
  });

  it('count requests that have waited from when they came, but no time twice', () => {
    const clock = { now: 100_000 };
    const buckets = new RateBuckets(() => clock.now, { mostWaitedMs: 2000 });
    const granted = (most: number, waitedMs: number, now: number) => {
      clock.now = now;
      return buckets.takeUpTo('a', { rps: 100, burst: 0 }, 'run', most, waitedMs).granted;
    };
    expect(granted(40, 50, 100_000)).toBe(6);
    expect(granted(4, 50, 100_050)).toBe(4);
    // One has been counted for a later time than the first of these came.
    expect(granted(40, 50, 100_060)).toBe(2);
    expect(granted(1, 0, 100_060)).toBe(0);
    expect(granted(1, 0, 100_070)).toBe(1);
  });

  it('drain at their rate after the clock was set back by a day', () => {
    const clock = { now: 86_400_000 };
    const { take } = new RateBuckets(() => clock.now);
    const rate = { rps: 1, burst: 0 };
    expect(take('a', rate, 's')).toBe(0);
    clock.now = 0;
    expect(take('a', rate, 's')).toBeGreaterThan(0);
    clock.now = 1000;
    expect(take('a', rate, 's')).toBe(0);
  });

  it('leave nothing behind once they have drained', () => {
    const clock = { now: 0 };
    const buckets = new RateBuckets(() => clock.now);
    for (let n = 0; n < 5000; n++) {
      clock.now += 10;
      buckets.take(`key-${n}`, { rps: 10, burst: 0 }, `run-${n % 3}`);
    }
    expect(buckets.size).toBeLessThan(20);
  });

  it('of one service with many keys do not start the keys of another service again', () => {
    const buckets = new RateBuckets(() => 0, { most: 100 });
    const rate = { rps: 1, burst: 0 };
    for (let n = 0; n < 10; n++) expect(buckets.take(`key-${n}`, rate, 'small')).toBe(0);
    for (let n = 0; n < 1000; n++) expect(buckets.take(`key-${n}`, rate, 'hostile')).toBe(0);
    expect(buckets.size).toBe(100);
    for (let n = 0; n < 10; n++) expect(buckets.take(`key-${n}`, rate, 'small')).toBe(1);
  });
});
