import { NO_MEMBERS } from '@dstack/core';
import { expect, it } from 'vitest';
import { mostWaiting } from './waiting-room.ts';

it('an array counts with those that its window lets wait, and with all that have lost their places', () => {
  const array = { total: 5000, maxParallel: 1000, members: NO_MEMBERS };
  expect(mostWaiting(array)).toBe(100);
  expect(mostWaiting({ ...array, total: 3 })).toBe(3);
  const running = { ...NO_MEMBERS, running: 980, submitted: 20 };
  expect(mostWaiting({ ...array, members: running })).toBe(20);
  const preempted = { ...NO_MEMBERS, running: 700, submitted: 300 };
  expect(mostWaiting({ ...array, members: preempted })).toBe(300);
});
