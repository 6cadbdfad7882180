import { SECOND } from '@dstack/core';
import { expect, it } from 'vitest';
import { nextInstant } from './event-instants.ts';

const NOW = 1_800_000_000 * SECOND;
const HOUR = 3600 * SECOND;

it('an event has the time of the clock', () => {
  expect(nextInstant(NOW, NOW - HOUR)).toBe(NOW);
});

it('follows the event before it, also where the clock was set back by an hour', () => {
  expect(nextInstant(NOW, NOW)).toBe(NOW + 1);
  expect(nextInstant(NOW, NOW + HOUR)).toBe(NOW + HOUR + 1);
});

it('has the time of the clock after one that a wrong clock dated a year ahead', () => {
  expect(nextInstant(NOW, NOW + 365 * 24 * HOUR)).toBe(NOW);
});
