import { expect, it } from 'vitest';
import { isDead, processStat } from './process-identity.ts';

it.each([
  ['Z', 1, true],
  ['Z', 3, false],
  ['X', 1, true],
  ['S', 1, false],
])('a process in state %s with %i threads is dead: %s', (state, threads, expected) => {
  expect(isDead({ state, threads })).toBe(expected);
});

it('the threads of a process are counted', () => {
  expect(processStat(process.pid)?.threads).toBeGreaterThan(1);
});
