import { expect, it } from 'vitest';
import { nextTaker } from './connection-turns.ts';

it.each([
  ['the next in turn', [5, 5, 5], 0, 1],
  ['the first after the last', [5, 5, 5], 2, 0],
  ['one with a connection more than the others', [5, 6, 5], 0, 1],
  ['the one after a worker that has too many', [5, 9, 5], 0, 2],
  ['an eighth more than the others have', [80, 91, 80], 0, 1],
  ['no more than that', [80, 92, 80], 0, 2],
  ['the only one', [7], 0, 0],
])('a connection goes to %s', (_what, counts, last, expected) => {
  expect(nextTaker(counts, last)).toBe(expected);
});

/** Opens connections, and closes some of them by `closes`, which gets the number of the connection. */
function shares(workers: number, opened: number, closes: (n: number, worker: number) => boolean) {
  const counts = Array.from({ length: workers }, () => 0);
  let last = 0;
  for (let n = 0; n < opened; n++) {
    last = nextTaker(counts, last);
    counts[last] = (counts[last] ?? 0) + 1;
    for (let worker = 0; worker < workers; worker++) {
      if ((counts[worker] ?? 0) > 0 && closes(n, worker))
        counts[worker] = (counts[worker] ?? 0) - 1;
    }
  }
  return counts;
}

it('connections that stay open are shared equally', () => {
  expect(shares(2, 64, () => false)).toEqual([32, 32]);
  expect(shares(4, 512, () => false)).toEqual([128, 128, 128, 128]);
});

it('clients that all leave one worker find the others only until it has as few as they', () => {
  const [some = 0, others = 0] = shares(2, 400, (n, worker) => worker === 0 && n % 2 === 0);
  expect(Math.max(some, others) / (some + others)).toBeLessThan(0.6);
});

it('a worker that closes none any more gets few of the connections that are opened after that', () => {
  const [live = 0, hung = 0] = shares(2, 10_000, (_n, worker) => worker === 0);
  expect([live, hung]).toEqual([0, 2]);
});
