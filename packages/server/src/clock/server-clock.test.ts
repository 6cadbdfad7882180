import { SECOND } from '@dstack/core';
import { expect, it } from 'vitest';
import { leadSeconds, leadText } from './clock-watch.ts';
import { ServerClock } from './server-clock.ts';

const HOUR_MS = 3_600_000;

/** A host whose clocks are moved by hand (ms). */
function host() {
  const clocks = { wall: 1_000_000_000_000, monotonic: 5_000 };
  const clock = new ServerClock({ wall: () => clocks.wall, monotonic: () => clocks.monotonic });
  let jumps = 0;
  clock.onJump(() => jumps++);
  return {
    clock,
    pass(ms: number) {
      clocks.wall += ms;
      clocks.monotonic += ms;
    },
    step(ms: number) {
      clocks.wall += ms;
    },
    /** The database's answer to a question that takes `tripMs`. */
    answer(time: number, tripMs = 0) {
      const askedAt = clocks.monotonic;
      clocks.wall += tripMs;
      clocks.monotonic += tripMs;
      clock.follow({ time, askedAt, answeredAt: clocks.monotonic });
    },
    jumps: async () => {
      await Promise.resolve();
      return jumps;
    },
    get wall() {
      return clocks.wall * 1000;
    },
  };
}

it('follows the wall clock when it is set forward and back', async () => {
  const one = host();
  const start = one.clock.now();
  one.step(2 * HOUR_MS);
  expect(one.clock.now()).toBe(one.wall);
  expect(one.clock.unobserved).toEqual([{ from: start, until: one.wall }]);
  one.pass(1000);
  one.step(-HOUR_MS);
  expect(one.clock.now()).toBe(one.wall);
  // The time that was skipped lies ahead again.
  expect(one.clock.unobserved).toEqual([{ from: start, until: one.wall }]);
  expect(await one.jumps()).toBe(2);
});

it('has passed evenly since it was set back to before the start of the server', () => {
  const one = host();
  one.pass(1000);
  one.step(-HOUR_MS);
  const since = one.clock.now();
  expect(since).toBe(one.wall);
  one.pass(1000);
  expect(one.clock.steadySince).toBe(since);
});

it('has passed evenly since the start if nothing could be noticed before it', () => {
  const one = host();
  const start = one.wall;
  one.clock.missed([{ from: start - 60 * SECOND, until: start - SECOND }]);
  expect(one.clock.steadySince).toBe(start);
});

it('moves a jump before the first answer of the database with its correction', () => {
  const one = host();
  one.step(HOUR_MS);
  one.clock.now();
  const database = one.wall - 86_400 * SECOND;
  one.answer(database);
  expect(one.clock.steadySince).toBe(database);
});

it('has finer steps than the wall clock', () => {
  const one = host();
  const before = one.clock.now();
  one.pass(0.25);
  expect(one.clock.now() - before).toBe(250);
});

it('takes a small correction of the wall clock over and does not call it a jump', async () => {
  const one = host();
  one.step(-3000);
  expect(one.clock.now()).toBe(one.wall);
  expect(one.clock.unobserved).toEqual([]);
  expect(await one.jumps()).toBe(0);
});

it('counts a process that could not work for longer than a lease as a jump', async () => {
  const one = host();
  const before = one.clock.now();
  one.pass(60_000);
  expect(one.clock.now()).toBe(one.wall);
  expect(one.clock.unobserved).toEqual([{ from: before, until: one.wall }]);
  expect(one.clock.steadySince).toBe(one.wall);
  expect(await one.jumps()).toBe(1);
});

it('shows the time of the database whatever the clock of the host shows', async () => {
  const one = host();
  const database = one.wall - 3600 * SECOND;
  one.answer(database);
  expect(one.clock.now()).toBe(database);
  expect(one.clock.steadySince).toBe(database);
  one.pass(1000);
  one.step(-10 * HOUR_MS);
  expect(one.clock.now()).toBe(database + SECOND);
  expect(await one.jumps()).toBe(0);
  one.step(10 * HOUR_MS);
  expect(one.clock.now()).toBe(database + SECOND);
});

it('is not moved by the uncertainty of a slow answer', () => {
  const one = host();
  const database = one.wall;
  one.answer(database);
  // It was read right after the question; the middle of the round trip is 400 ms later.
  one.answer(database, 800);
  expect(one.clock.now()).toBe(database + 800_000);
});

it('follows the database over a suspend of the host', async () => {
  const one = host();
  const database = one.wall;
  one.answer(database);
  one.step(HOUR_MS);
  expect(one.clock.now()).toBe(database);
  one.answer(database + 3600 * SECOND);
  expect(one.clock.now()).toBe(database + 3600 * SECOND);
  expect(one.clock.unobserved).toEqual([{ from: database, until: database + 3600 * SECOND }]);
  // Once when it was noticed, and once when its length was known.
  expect(await one.jumps()).toBe(2);
});

it('counts a host that may have been suspended as a jump before the database is asked again', () => {
  const one = host();
  const database = one.wall;
  one.answer(database);
  for (let second = 0; second < 60; second++) {
    one.pass(1000);
    one.clock.now();
  }
  one.pass(1000);
  expect(one.clock.steadySince).toBe(database);
  // Its time is behind that of the others by so much, and what they write seems to lie in the future.
  one.step(9000);
  expect(one.clock.now()).toBe(database + 61 * SECOND);
  expect(one.clock.steadySince).toBe(database + 61 * SECOND);
  one.answer(database + 70 * SECOND);
  expect(one.clock.now()).toBe(database + 70 * SECOND);
});

it('reports a host whose clock is certainly more than five seconds off', () => {
  const one = host();
  expect(leadSeconds(one.clock)).toBe(0);
  one.answer(one.wall - 4 * SECOND);
  expect(leadSeconds(one.clock)).toBe(0);
  one.answer(one.wall - 90 * SECOND);
  expect(leadSeconds(one.clock)).toBe(90);
  expect(leadText(90)).toContain("90 s ahead of the database's");
  one.answer(one.wall - 4 * SECOND, 4000);
  expect(leadSeconds(one.clock)).toBe(0);
});
