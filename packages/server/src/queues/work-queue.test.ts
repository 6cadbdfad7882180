import { pino } from 'pino';
import { describe, expect, it, vi } from 'vitest';
import { type WorkEnding, WorkQueue } from './work-queue.ts';

const log = pino({ level: 'silent' });

/** A pass that the test opens and closes by hand. */
function gate() {
  const waiting: ((ending: WorkEnding) => void)[] = [];
  return {
    pass: () => new Promise<WorkEnding>((resolve) => waiting.push(resolve)),
    open: (ending: WorkEnding = { ending: 'done' }) => waiting.shift()?.(ending),
    get held() {
      return waiting.length;
    },
  };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Timers that do not expire: the test calls what is due. */
function heldTimers() {
  const delays: number[] = [];
  const due: (() => void)[] = [];
  const setTimer = (callback: () => void, ms: number) => {
    delays.push(ms);
    due.push(callback);
    return setTimeout(() => {}, 0);
  };
  return { delays, due, setTimer };
}

describe('WorkQueue', () => {
  it('waits for the lease of another server without counting a failure, and is hastened', async () => {
    const { delays, setTimer } = heldTimers();
    const endings: WorkEnding[] = [
      { ending: 'held', ms: 9000 },
      { ending: 'held', ms: 8000 },
      { ending: 'retry', error: null },
    ];
    const queue = new WorkQueue({
      ...{ name: 'test', concurrency: 1, log, setTimer },
      work: async () => endings.shift() ?? { ending: 'done' },
      backoff: (attempt) => attempt,
    });
    queue.hasten('a');
    expect(queue.depth).toEqual({ waiting: 0, running: 0, delayed: 0 });
    queue.add('a');
    await settle();
    queue.hasten('a');
    await settle();
    queue.hasten('a');
    await settle();
    // The first failure: two held leases before it do not delay it more.
    expect(delays).toEqual([9000, 8000, 1]);
    await queue.close();
  });

  it('works on a key once however often it is added before its pass', async () => {
    const passes: string[] = [];
    const first = gate();
    const queue = new WorkQueue({
      name: 'test',
      concurrency: 1,
      log,
      work: (key) => {
        passes.push(key);
        return first.pass();
      },
    });
    for (const key of ['a', 'b', 'b', 'b']) queue.add(key);
    first.open();
    await settle();
    first.open();
    await queue.close();
    expect(passes).toEqual(['a', 'b']);
  });

  it('gives a key that is signalled during its pass exactly one more pass', async () => {
    const passes: string[] = [];
    const held = gate();
    const queue = new WorkQueue({
      name: 'test',
      concurrency: 4,
      log,
      work: (key) => {
        passes.push(key);
        return held.pass();
      },
    });
    queue.add('a');
    queue.add('a');
    queue.add('a');
    expect(passes).toEqual(['a']);
    held.open();
    await settle();
    expect(passes).toEqual(['a', 'a']);
    held.open();
    await settle();
    expect(passes).toEqual(['a', 'a']);
    await queue.close();
  });

  it('runs at most the allowed number of passes at a time', async () => {
    const held = gate();
    const queue = new WorkQueue({ name: 'test', concurrency: 2, log, work: held.pass });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    expect(held.held).toBe(2);
    expect(queue.depth).toEqual({ waiting: 1, running: 2, delayed: 0 });
    held.open();
    await settle();
    expect(held.held).toBe(2);
    held.open();
    held.open();
    await queue.close();
  });

  it('decides again at once after a conflict', async () => {
    const endings: WorkEnding[] = [{ ending: 'conflict' }, { ending: 'done' }];
    let passes = 0;
    const queue = new WorkQueue({
      name: 'test',
      concurrency: 1,
      log,
      work: async () => endings[passes++] ?? { ending: 'done' },
    });
    queue.add('a');
    await settle();
    expect(passes).toBe(2);
    await queue.close();
  });

  it('gives a key whose decisions are always stale growing delays, up to a second', async () => {
    const { delays, due, setTimer } = heldTimers();
    let passes = 0;
    let ending: WorkEnding = { ending: 'conflict' };
    const queue = new WorkQueue({
      name: 'test',
      concurrency: 1,
      log,
      setTimer,
      work: async () => {
        passes += 1;
        // Ends a queue that never pauses.
        return passes > 100 ? { ending: 'done' } : ending;
      },
    });
    queue.add('a');
    await settle();
    for (let n = 0; n < 6; n++) {
      due.shift()?.();
      await settle();
    }
    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000, 1000]);
    expect(passes).toBe(17);
    ending = { ending: 'done' };
    queue.add('a');
    await settle();
    ending = { ending: 'conflict' };
    queue.add('a');
    await settle();
    expect(delays.at(-1)).toBe(100);
    await queue.close();
  });

  it('tries a failing key again with growing delays and forgets them after a success', async () => {
    const { delays, due, setTimer } = heldTimers();
    let failures = 2;
    const queue = new WorkQueue({
      name: 'test',
      concurrency: 1,
      log,
      setTimer,
      work: async () => {
        if (failures-- > 0) throw new Error('no answer');
        return { ending: 'done' };
      },
    });
    queue.add('a');
    await settle();
    due.shift()?.();
    await settle();
    due.shift()?.();
    await settle();
    expect(delays).toEqual([100, 200]);
    failures = 1;
    queue.add('a');
    await settle();
    expect(delays).toEqual([100, 200, 100]);
    await queue.close();
  });

  it('reports a pass that takes long, once, and none that has ended', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const lines: { key?: string; msg: string }[] = [];
      const write = (line: string) => lines.push(JSON.parse(line));
      const held = gate();
      const queue = new WorkQueue({
        name: 'test',
        concurrency: 2,
        log: pino({}, { write }),
        work: (key) => (key === 'stuck' ? held.pass() : Promise.resolve({ ending: 'done' })),
      });
      queue.add('quick');
      queue.add('stuck');
      await settle();
      vi.advanceTimersByTime(24 * 3_600_000);
      expect(lines).toMatchObject([
        { queue: 'test', key: 'stuck', msg: 'pass has been under way for 5 minutes' },
      ]);
      held.open();
      await queue.close();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('waits at close for the passes under way and starts no others', async () => {
    const held = gate();
    const queue = new WorkQueue({ name: 'test', concurrency: 1, log, work: held.pass });
    queue.add('a');
    queue.add('b');
    const closed = queue.close();
    queue.add('c');
    held.open();
    await closed;
    expect(held.held).toBe(0);
  });
});
