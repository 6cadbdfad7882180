import { expect, it } from 'vitest';
import { readingAt, timeRange } from './chart-reading.ts';

it('reads the value under the cursor, and without a cursor the latest one that is known', () => {
  expect(readingAt([1, 2, null], 0)).toBe(1);
  expect(readingAt([1, 2, null], 2)).toBeNull();
  expect(readingAt([1, 2, null], null)).toBe(2);
  expect(readingAt([null], null)).toBeNull();
});

it('shows the whole chosen time, also where less was measured', () => {
  const times = [3420, 3600];
  expect(timeRange(times, [3420, 3600], 3600)).toEqual([0, 3600]);
  expect(timeRange(times, [3420, 3600], null)).toEqual([3420, 3600]);
  expect(timeRange([0, 7200], [0, 7200], 3600)).toEqual([0, 7200]);
});

it('shows what the reader has zoomed into', () => {
  expect(timeRange([0, 3600], [600, 1200], 3600)).toEqual([600, 1200]);
});
