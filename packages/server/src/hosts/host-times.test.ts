import { SECOND } from '@dstack/core';
import { expect, it } from 'vitest';
import { HostTimes } from './host-times.ts';

const NOW = 1_800_000_000 * SECOND;
const HOUR = 3600 * SECOND;

it.each([
  ['right', 0],
  ['an hour ahead', HOUR],
  ['an hour behind', -HOUR],
  ['a day behind', -24 * HOUR],
])('measurements of a host whose clock is %s keep their time and their distances', (_, off) => {
  const times = new HostTimes();
  for (let n = 0; n < 5; n++) {
    const at = NOW + n * 10 * SECOND;
    expect(times.serverTime(at + off, at)).toBe(at);
  }
  // One was on its way for half a minute, and the next one arrives together with it.
  const [first, next] = [NOW + 50 * SECOND, NOW + 60 * SECOND];
  expect(times.serverTime(first + off, first + 30 * SECOND)).toBe(first);
  expect(times.serverTime(next + off, first + 30 * SECOND)).toBe(next);
});

it.each([HOUR, -HOUR])('follows a clock that is set by %i µs', (step) => {
  const times = new HostTimes();
  times.serverTime(NOW, NOW);
  const later = NOW + 10 * SECOND;
  expect(times.serverTime(later + step, later)).toBe(later);
  const back = NOW + 20 * SECOND;
  expect(times.serverTime(back, back)).toBe(back);
});

it('leaves the times of a clock that nearly agrees as they are', () => {
  const times = new HostTimes();
  expect(times.serverTime(NOW - 2 * SECOND, NOW)).toBe(NOW - 2 * SECOND);
  expect(times.serverTime(NOW + 4 * SECOND, NOW)).toBe(NOW + 4 * SECOND);
});
