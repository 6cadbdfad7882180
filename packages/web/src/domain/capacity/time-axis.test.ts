import { expect, it } from 'vitest';
import { timeAxis } from './time-axis.ts';

const NOW = Date.parse('2026-12-01T08:07:00Z');
const HOUR = 3_600_000;

it('has the present after a seventh, and whole hours as ticks', () => {
  const { at, ticks } = timeAxis(NOW, '6');
  expect(at(NOW)).toBeCloseTo(1 / 7);
  expect(at(NOW + 6 * HOUR)).toBe(1);
  expect(ticks).toHaveLength(7);
  expect(ticks.every(({ time }) => time % HOUR === 0)).toBe(true);
});

it('keeps what lies outside at its edges', () => {
  const { at } = timeAxis(NOW, '1');
  expect([at(0), at(NOW + 9 * HOUR)]).toEqual([0, 1]);
});

it('has ticks at the hours of a time zone that is half an hour off', () => {
  const { ticks } = timeAxis(NOW, '24', HOUR / 2);
  expect(ticks.map(({ time }) => (time + HOUR / 2) % (4 * HOUR))).toEqual(ticks.map(() => 0));
});
