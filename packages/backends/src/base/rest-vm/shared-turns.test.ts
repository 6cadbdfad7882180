import { beforeEach, describe, expect, it } from 'vitest';
import type { SharedFacts } from '../kind.ts';
import { type CallKind, CallLimiter, type CallRule } from './call-limiter.ts';
import type { CallPace } from './pace.ts';
import { sharedTurns } from './shared-turns.ts';

const LAMBDA: readonly CallRule[] = [
  { calls: 1, seconds: 1 },
  { calls: 1, seconds: 12, kind: 'create' },
];
const MANY: readonly CallRule[] = [{ calls: 250, seconds: 60 }];
const SECOND = 1_000_000;

/** In µs. */
let now: number;
let stored: Map<string, string>;
let facts: SharedFacts;
beforeEach(() => {
  now = 1_700_000_000 * SECOND;
  stored = new Map();
  facts = {
    amend: async (key, change) => {
      const { value, result } = change(stored.get(key) ?? null, now);
      stored.set(key, value);
      return result;
    },
  };
});

const turns = (rules = LAMBDA) => sharedTurns(facts, 'account', rules);

/** Takes a turn as soon as it comes; returns the seconds that it took. */
async function taken(of: ReturnType<typeof turns>, kind: CallKind): Promise<number> {
  const from = now;
  for (let wait = await of.take(kind); wait > 0; wait = await of.take(kind)) now += wait * 1000;
  return (now - from) / SECOND;
}

describe('turns of several servers at one account', () => {
  it('are as far apart as the provider allows, whichever server takes them', async () => {
    const [first, second] = [turns(), turns()];
    expect(await first.take('look')).toBe(0);
    expect(await second.take('look')).toBe(1050);
    expect(await taken(second, 'look')).toBe(1.05);
    expect(await taken(first, 'create')).toBe(1.05);
    expect(await taken(second, 'create')).toBeGreaterThan(11.9);
  });

  it('are given first to what is most important, of any server', async () => {
    const [first, second] = [turns(), turns()];
    await first.take('look');
    expect(await second.take('end')).toBeGreaterThan(0);
    now += 1.05 * SECOND;
    expect(await first.take('look')).toBeGreaterThan(0);
    expect(await second.take('end')).toBe(0);
    // A server that does not come back for its turn does not keep the others from theirs.
    await second.take('end');
    now += 5 * SECOND;
    expect(await first.take('look')).toBe(0);
  });

  it('pause for all after a refusal, and not for longer than that', async () => {
    await turns().pause(30_000);
    expect(await turns().take('look')).toBe(30_000);
    now += 30 * SECOND;
    expect(await turns().take('look')).toBe(0);
    now -= 86_400 * SECOND;
    // The clock of the database was set back.
    expect(await turns().take('look')).toBe(0);
  });

  it('stay within a limit of many calls in every minute, with little that is stored', async () => {
    const of = turns(MANY);
    const begun: number[] = [];
    for (let call = 0; call < 1000; call++) {
      await taken(of, 'look');
      begun.push(now);
      now += 10_000;
    }
    for (const [index, at] of begun.entries()) {
      const within = begun.slice(index).filter((other) => other < at + 60 * SECOND).length;
      expect(within).toBeLessThanOrEqual(250);
    }
    expect([...stored.values()][0]?.length).toBeLessThan(2500);
    // It gives nearly what the provider allows.
    expect((now - (begun[0] ?? 0)) / SECOND).toBeLessThan(200);
  });
});

describe('the limiters of two servers', () => {
  const pace: CallPace = {
    now: () => now / 1000,
    delay: async (ms, signal) => {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      now += ms * 1000;
    },
  };

  it('go on with their own limits while the database does not answer', async () => {
    const shared = {
      take: () => Promise.reject(new Error('no connection')),
      pause: () => Promise.reject(new Error('no connection')),
    };
    const limiter = new CallLimiter({ title: 'Lambda', rules: LAMBDA, pace, shared });
    const from = now;
    for (let call = 0; call < 3; call++) await limiter.turn('look');
    limiter.refused(1000);
    expect(now - from).toBeGreaterThan(2 * SECOND);
  });
});
