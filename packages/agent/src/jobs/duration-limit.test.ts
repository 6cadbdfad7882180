import { expect, it } from 'vitest';
import { bootClock, durationLeft } from './duration-limit.ts';

const HOUR = 3_600_000;
const WALL = 1_800_000_000_000;
const now = { bootId: 'b', ms: 50_000 };

it('counts the duration of a process by the monotonic clock, whatever the wall clock shows', () => {
  const limit = { seconds: 600, endsAt: { bootId: 'b', ms: 650_000 }, deadline: WALL + 600_000 };
  expect(durationLeft(limit, now, WALL)).toBe(600_000);
  expect(durationLeft(limit, now, WALL + HOUR)).toBe(600_000);
  expect(durationLeft(limit, { ...now, ms: 700_000 }, WALL - HOUR)).toBe(0);
});

it('follows the deadline of an older agent, but not beyond the whole duration', () => {
  const limit = { seconds: 600, endsAt: null, deadline: WALL + 60_000 };
  expect(durationLeft(limit, now, WALL)).toBe(60_000);
  expect(durationLeft(limit, now, WALL - HOUR)).toBe(600_000);
  expect(durationLeft({ ...limit, deadline: null }, now, WALL)).toBeNull();
});

it('is the same clock for every process of a boot', () => {
  const first = bootClock();
  const second = bootClock();
  expect(second.bootId).toBe(first.bootId);
  expect(second.ms).toBeGreaterThanOrEqual(first.ms);
});
