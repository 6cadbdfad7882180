import { SECOND } from '@dstack/core';
import { expect, it } from 'vitest';
import { strayIntents } from './stray-intents.ts';

const DAY = 86_400 * SECOND;
const key = (n: number) => String(n).padStart(8, '0');

/** Intents with these numbers, of which some have no subject. */
function world(count: number, isStray: (n: number) => boolean) {
  let keys = Array.from({ length: count }, (_, n) => n);
  const values = new Map<string, string>();
  let seenOfDay = 0;
  const deps = {
    store: {
      meta: {
        get: async (name: string) => values.get(name) ?? null,
        set: async (name: string, value: string) => void values.set(name, value),
      },
      retention: {
        deleteStrayIntents: async (after: string, _before: number, limit: number) => {
          const from = after === '' ? 0 : keys.findIndex((n) => n > Number(after));
          const rows = from < 0 ? [] : keys.slice(from, from + limit);
          const stray = new Set(rows.filter(isStray));
          if (stray.size > 0) keys = keys.filter((n) => !stray.has(n));
          seenOfDay += rows.length;
          const last = rows.at(-1);
          const next = rows.length < limit || last === undefined ? null : key(last);
          return { count: stray.size, seen: rows.length, next };
        },
      },
    },
  };
  let run = strayIntents(deps);
  return {
    restart: () => {
      run = strayIntents(deps);
    },
    /** All steps of a round; returns how many intents they have looked at. */
    round: async (now: number) => {
      seenOfDay = 0;
      while ((await run(2000, now)) > 0);
      return seenOfDay;
    },
    left: () => keys.length,
  };
}

it('walks over a part of all intents each day and goes on where it ended, whichever server does it', async () => {
  const one = world(70_000, (n) => n === 45_000 || n === 65_000);
  const now = 100 * DAY;
  expect(await one.round(now)).toBe(20_000);
  expect(await one.round(now + DAY / 2)).toBe(0);
  one.restart();
  expect(await one.round(now + DAY / 2)).toBe(0);
  expect(await one.round(now + DAY)).toBe(20_000);
  one.restart();
  expect(await one.round(now + 2 * DAY)).toBeGreaterThanOrEqual(20_000);
  expect(one.left()).toBe(69_999);
  await one.round(now + 3 * DAY);
  expect(one.left()).toBe(69_998);
  // The walk has come to its end and begins again the day after.
  expect(await one.round(now + 3 * DAY + 1)).toBe(0);
  expect(await one.round(now + 4 * DAY)).toBe(20_000);
});

it('does not count what it deletes, so that many strays are deleted in a day', async () => {
  const one = world(60_000, (n) => n >= 10_000);
  await one.round(DAY);
  expect(one.left()).toBe(10_000);
});

it('begins a part anew when its day lies ahead', async () => {
  const one = world(70_000, () => false);
  expect(await one.round(100 * DAY)).toBe(20_000);
  one.restart();
  expect(await one.round(50 * DAY)).toBe(20_000);
});
