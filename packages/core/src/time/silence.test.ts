import { describe, expect, test } from 'vitest';
import type { Unobserved } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { silence, silenceDeadline } from './silence.ts';
import { observedSince, unobservedUntil, withUnobserved } from './unobserved.ts';

type Seconds = readonly [from: number, until: number];

const times = (...all: Seconds[]): readonly Unobserved[] =>
  all.map(([from, until]) => ({ from: from * SECOND, until: until * SECOND }));

const deadline = (limit: number, since: number, ...all: Seconds[]) =>
  silenceDeadline({ unobserved: times(...all) }, since * SECOND, silence(limit)) / SECOND;

describe('a deadline of silence', () => {
  test('is the limit after its begin where everything was observed since', () => {
    expect(deadline(600, 1000)).toBe(1600);
    expect(deadline(600, 1000, [100, 900], [950, 1000])).toBe(1600);
    expect(silenceDeadline({}, 0, silence(5))).toBe(5 * SECOND);
  });

  test('is extended by the times in which no answer could be noticed', () => {
    expect(deadline(600, 1000, [1100, 1200])).toBe(1700);
    expect(deadline(600, 1000, [900, 1200])).toBe(1800);
    expect(deadline(600, 1000, [1100, 1200], [1300, 2000], [2100, 2100])).toBe(2400);
  });

  test('leaves a minute for the first contact, or the limit where it is shorter', () => {
    expect(deadline(600, 1000, [1590, 9000])).toBe(9060);
    expect(deadline(600, 1000, [1650, 9000])).toBe(9060);
    expect(deadline(30, 1000, [1029, 9000])).toBe(9030);
    expect(deadline(600, 1000, [1590, 1590])).toBe(1650);
  });

  test('comes also at a server that notices nothing, while another one does until a moment ago', () => {
    let now = 1200;
    for (;;) {
      const due = deadline(1200, 0, [now - 60, now]);
      if (due <= now) break;
      now = due;
    }
    expect(now).toBeLessThanOrEqual(1200 + 240);
  });

  test('comes also for servers that never work for a minute', () => {
    const cycles = (count: number) =>
      Array.from({ length: count }, (_, n): Seconds => [n * 130 + 30, (n + 1) * 130]);
    // 30 s of each 130 are observed.
    expect(deadline(600, 0, ...cycles(20))).toBe(2600 + 60);
    expect(deadline(600, 0, ...cycles(24))).toBe(24 * 130 + 60);
    expect(deadline(600, 0, ...cycles(25))).toBe(25 * 130);
  });
});

describe('times in which nothing was observed', () => {
  const merged = (...all: Seconds[]) => times(...all).reduce(withUnobserved, []);

  test('are in order and do not overlap', () => {
    expect(merged([5, 6], [1, 2], [8, 9])).toEqual(times([1, 2], [5, 6], [8, 9]));
    expect(merged([1, 3], [2, 5])).toEqual(times([1, 5]));
    expect(merged([1, 3], [6, 8], [3, 6])).toEqual(times([1, 8]));
    expect(merged([1, 8], [2, 3])).toEqual(times([1, 8]));
  });

  test('are bounded in number, and keep their sum for what waited before them', () => {
    const hours = Array.from({ length: 1000 }, (_, n): Seconds => [n * 100 + 40, n * 100 + 100]);
    const all = merged(...hours);
    expect(all).toHaveLength(64);
    const sum = all.reduce((total, { from, until }) => total + until - from, 0);
    expect(sum).toBe(1000 * 60 * SECOND);
    expect(observedSince({ unobserved: all })).toBe(100_000 * SECOND);
    expect(withUnobserved(all, { from: 0, until: 100_000 * SECOND })).toHaveLength(1);
  });

  test('lie before the present', () => {
    expect(unobservedUntil(times([1, 2], [5, 8]), 9 * SECOND)).toEqual(times([1, 2], [5, 8]));
    expect(unobservedUntil(times([1, 2], [5, 8]), 6 * SECOND)).toEqual(times([1, 2], [5, 6]));
    expect(unobservedUntil(times([1, 2], [5, 8]), 4 * SECOND)).toEqual(times([1, 2]));
  });
});
