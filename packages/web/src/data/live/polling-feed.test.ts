import { expect, it } from 'vitest';
import type { LiveState } from './live-state.ts';
import { pollingFeed } from './polling-feed.ts';

function world() {
  let answers = true;
  let hidden = false;
  let calls = 0;
  let due: (() => void) | null = null;
  let delay = 0;
  const states: LiveState[] = [];
  let gaps = 0;
  const feed = pollingFeed({
    probe: async () => {
      calls += 1;
      if (!answers) throw new Error('no answer');
    },
    now: () => 1000,
    setTimer: (run, ms) => {
      due = run;
      delay = ms;
      return 1;
    },
    clearTimer: () => {},
    isHidden: () => hidden,
  });
  const stop = feed.start({
    onState: (state) => states.push(state),
    onChange: () => {},
    onGap: () => {
      gaps += 1;
    },
  });
  return {
    stop,
    retry: feed.retry,
    setAnswers: (value: boolean) => {
      answers = value;
    },
    setHidden: (value: boolean) => {
      hidden = value;
    },
    /** Runs the timer, and what follows from the answer. */
    async tick() {
      due?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
    states,
    get calls() {
      return calls;
    },
    get gaps() {
      return gaps;
    },
    get delay() {
      return delay;
    },
  };
}

it('reports a gap at each answer', async () => {
  const w = world();
  await w.tick();
  await w.tick();
  expect(w.gaps).toBe(2);
  expect(w.states.at(-1)).toEqual({ kind: 'polling', updatedAt: 1000 });
});

it('waits longer after each failure, and reports the last answer', async () => {
  const w = world();
  await w.tick();
  w.setAnswers(false);
  const delays: number[] = [];
  for (let i = 0; i < 7; i++) {
    await w.tick();
    delays.push(w.delay);
  }
  expect(delays).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  expect(w.states.at(-1)).toEqual({ kind: 'offline', updatedAt: 1000, retryAt: 16_000 });
  w.setAnswers(true);
  w.retry();
  expect(w.delay).toBe(0);
  await w.tick();
  expect(w.states.at(-1)?.kind).toBe('polling');
});

it('sends nothing while the tab is hidden', async () => {
  const w = world();
  w.setHidden(true);
  await w.tick();
  expect(w.calls).toBe(0);
});

it('sends nothing after its end', async () => {
  const w = world();
  await w.tick();
  w.stop();
  const { states } = w;
  const before = states.length;
  await w.tick();
  expect(states).toHaveLength(before);
});
