import { expect, it } from 'vitest';
import { DatabaseAwayError } from './database-away.ts';
import { isAnswerLost, sqlState } from './failures.ts';

it.each([
  ['23505', '23505', false],
  ['57P01', '57P01', true],
  ['08006', '08006', true],
  ['EPIPE', null, true],
  ['ECONNRESET', null, true],
  [undefined, null, true],
])('an error with the code %s', (code, state, isLost) => {
  const error = Object.assign(new Error('it failed'), { code });
  expect(sqlState(error)).toBe(state);
  expect(isAnswerLost(error)).toBe(isLost);
  expect(isAnswerLost(new DatabaseAwayError(error)) || !isLost).toBe(true);
});
