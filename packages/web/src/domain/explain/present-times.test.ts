import { expect, it } from 'vitest';
import { withPresentTimes } from './present-times.ts';

const AT = '2026-11-26 12:00:00 UTC';
const written = (left: string) => `waits for its schedule (0 8 * * *): it starts ${left} (${AT})`;
const secondsBefore = (seconds: number) => Date.parse('2026-11-26T12:00:00Z') - seconds * 1000;

it.each([
  ['in 19 s', 7, 'in 7 s'],
  ['in 1 h 5 min', 3 * 3600, 'in 3 h'],
  ['in 19 s', 0, 'now'],
  ['in 19 s', -60, 'now'],
])('%s that was written earlier becomes, %i s before it, %s', (left, seconds, present) => {
  expect(withPresentTimes(written(left), secondsBefore(seconds))).toBe(written(present));
});

it('leaves times without an instant, and texts without times, as they are', () => {
  const text = 'failed after 5 s in node 3 (exit code 3): attempt 2 begins now';
  expect(withPresentTimes(text, 0)).toBe(text);
});
