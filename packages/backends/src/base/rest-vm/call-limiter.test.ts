import { beforeEach, describe, expect, it } from 'vitest';
import { TurnError } from '../errors.ts';
import { type CallKind, CallLimiter, type CallRule } from './call-limiter.ts';
import type { CallPace } from './pace.ts';

const RULES: readonly CallRule[] = [
  { calls: 1, seconds: 1 },
  { calls: 1, seconds: 12, kind: 'create' },
];

/** A clock that stands still until a test lets it advance, from one end of a delay to the next. */
class SteppedPace implements CallPace {
  #now = 0;
  #delays: { readonly at: number; readonly end: () => void }[] = [];
  readonly now = () => this.#now;

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const delay = { at: this.#now + ms, end: resolve };
      this.#delays.push(delay);
      signal?.addEventListener('abort', () => {
        this.#delays = this.#delays.filter((one) => one !== delay);
        reject(signal.reason);
      });
    });
  }

  /** Everything that happens until `until`, in milliseconds. */
  async run(until: number): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = this.#delays.toSorted((a, b) => a.at - b.at);
      if (!next || next.at > until) break;
      this.#delays = this.#delays.filter((one) => one !== next);
      this.#now = Math.max(this.#now, next.at);
      next.end();
    }
    this.#now = until;
  }
}

let pace: SteppedPace;
let limiter: CallLimiter;
let begun: string[];
beforeEach(() => {
  pace = new SteppedPace();
  limiter = new CallLimiter({ title: 'Lambda', rules: RULES, pace, patienceMs: 60_000 });
  begun = [];
});

function call(kind: CallKind, signal?: AbortSignal): Promise<void> {
  return limiter
    .turn(kind, signal)
    .then(() => void begun.push(`${kind} ${(pace.now() / 1000).toFixed(1)}`));
}

describe('the calls of an account', () => {
  it('begin as far apart as its rules say, creations and ends before looks', async () => {
    for (const kind of ['look', 'look', 'create', 'end', 'create', 'look'] as const)
      void call(kind);
    await pace.run(20_000);
    expect(begun).toEqual([
      ...['look 0.0', 'create 1.1', 'end 2.1', 'look 3.1', 'look 4.2', 'create 13.1'],
    ]);
  });

  it('do not wait behind creations that have to wait longer', async () => {
    for (let number = 0; number < 3; number++) void call('create');
    void call('look');
    await pace.run(30_000);
    expect(begun).toEqual(['create 0.0', 'look 1.1', 'create 12.1', 'create 24.1']);
  });

  it('are given up after a while with the reason, and take no turn then', async () => {
    const outcomes = Array.from({ length: 8 }, () =>
      call('create').catch((error: unknown) => error),
    );
    await pace.run(200_000);
    const late = (await Promise.all(outcomes)).filter((one) => one instanceof TurnError);
    expect(begun).toHaveLength(5);
    expect(late).toHaveLength(3);
    expect(`${late[0]}`).toContain('the account allows few calls');
    await call('create');
    expect(begun.at(-1)).toBe('create 200.0');
  });

  it('can be abandoned while they wait', async () => {
    const abandoned = new AbortController();
    void call('create');
    const waiting = call('create', abandoned.signal);
    abandoned.abort(new Error('the server ends'));
    await expect(waiting).rejects.toThrow('the server ends');
    void call('create');
    await pace.run(13_000);
    expect(begun).toEqual(['create 0.0', 'create 12.1']);
  });

  it('pause after a refusal for as long as the provider wants, or twice as long each time', async () => {
    await call('look');
    limiter.refused(30_000);
    void call('look');
    await pace.run(40_000);
    limiter.answered();
    for (const wait of [1, 2, 4, 8]) {
      limiter.refused(null);
      const from = pace.now();
      void call('look');
      await pace.run(from + 20_000);
      expect(begun.at(-1)).toBe(`look ${(from / 1000 + wait).toFixed(1)}`);
    }
    expect(begun[1]).toBe('look 30.0');
  });
});
