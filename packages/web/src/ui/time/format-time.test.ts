import { describe, expect, it } from 'vitest';
import { elapsedText, momentText, preciseTime, relativeTimeText } from './format-time.ts';

const now = Date.parse('2026-11-26T12:00:00Z');
const before = (seconds: number) => relativeTimeText(now - seconds * 1000, now);

it('a precise time has its day unless that is today', () => {
  const noon = new Date(2026, 10, 26, 12, 0, 1, 23).getTime();
  expect(preciseTime(noon, noon + 1000)).toBe('12:00:01.023');
  expect(preciseTime(noon, noon + 86_400_000 / 2)).toBe('26 Nov 12:00:01.023');
  expect(preciseTime(noon, noon + 86_400_000 * 365)).toBe('26 Nov 12:00:01.023');
});

describe('a relative time', () => {
  it.each([
    [0, 'just now'],
    [2, '2 s ago'],
    [59, '59 s ago'],
    [60, '1 min ago'],
    [3599, '59 min ago'],
    [7200, '2 h ago'],
    [86_400 * 3, '3 d ago'],
    [86_400 * 40, '17 Oct 2026'],
    [-90, 'in 1 min'],
  ])('of %i s before is "%s"', (seconds, text) => {
    expect(before(seconds)).toBe(text);
  });
});

describe('a duration', () => {
  it.each([
    [-5, '0 ms'],
    [430, '430 ms'],
    [1000, '1 s'],
    [12_400, '12 s'],
    [185_000, '3 m 05 s'],
    [7_620_000, '2 h 07 m'],
    [270_000_000, '3 d 3 h'],
  ])('of %i ms is "%s"', (ms, text) => {
    expect(elapsedText(ms)).toBe(text);
  });
});

it.each([
  [30_000, '30 s ago'],
  [5 * 3_600_000, '5 h ago'],
  [3 * 86_400_000, /^27 Nov, \d\d:\d\d$/],
  [400 * 86_400_000, /^2\d Oct 2025$/],
])('a moment %i ms ago has its date once it is not of the last day', (age, text) => {
  const now = Date.parse('2026-11-30T12:00:00Z');
  expect(momentText(now - age, now)).toMatch(text);
});
