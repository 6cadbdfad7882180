import { expect, it } from 'vitest';
import { isOldFact } from './account-facts.ts';
import { sharedTurns } from './shared-turns.ts';

const NOW = 1_800_000_000_000_000;
const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
const offers = (age: number) => JSON.stringify({ offers: [], at: (NOW - age) / 1000 });

it('offers of an account are old a month after they were asked for', () => {
  expect(isOldFact('live-offers:lambda:a', offers(29 * DAY), NOW)).toBe(false);
  expect(isOldFact('live-offers:lambda:a', offers(31 * DAY), NOW)).toBe(true);
  expect(isOldFact('live-offers:lambda:a', offers(-2 * DAY), NOW)).toBe(true);
});

it('counted calls are old a day after the last one', async () => {
  let stored = '';
  const facts = {
    amend: async <T>(
      _key: string,
      change: (value: string | null, now: number) => { readonly value: string; readonly result: T },
    ) => {
      const { value, result } = change(null, NOW);
      stored = value;
      return result;
    },
  };
  await sharedTurns(facts, 'a', [{ calls: 1, seconds: 1 }]).take('look');
  expect(isOldFact('call-turns:a', stored, NOW + 23 * HOUR)).toBe(false);
  expect(isOldFact('call-turns:a', stored, NOW + 25 * HOUR)).toBe(true);
});

it('what cannot be read is old, and facts of other kinds never are', () => {
  for (const value of ['', 'null', '{}', '[]', '{"at":"soon"}']) {
    expect(isOldFact('live-offers:lambda:a', value, NOW), value).toBe(true);
  }
  expect(isOldFact('server_id', 'x', NOW)).toBe(false);
});
