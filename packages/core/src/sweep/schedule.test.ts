import { expect, test } from 'vitest';
import { SECOND } from '../model/values.ts';
import { isSweepDue, nextSweep } from './schedule.ts';

const NOW = 1_800_000_000 * SECOND;

test('a sweep is due at its time, and when a wrong clock has stored a later one than any rule sets', () => {
  const next = nextSweep({ orphans: [], toEnd: [], isWatching: false }, 'seed', NOW);
  expect(isSweepDue(next, NOW)).toBe(false);
  expect(isSweepDue(next, next)).toBe(true);
  expect(isSweepDue(NOW + 7200 * SECOND, NOW)).toBe(true);
});
