import { SECOND } from '@dstack/core';
import { expect, it } from 'vitest';
import { GAP, nextState, PAUSE, parseState, SHORT_PAUSE } from './pause.ts';

const NOW = 1_800_000_000 * SECOND;
const MINUTE = 60 * SECOND;
const DAY = 86_400 * SECOND;
const USUAL = { at: NOW, deletesFrom: NOW, trustedFrom: NOW };

it('an installation with runs waits after the upgrade, a new one does not', () => {
  const waits = { at: NOW, deletesFrom: NOW + PAUSE, trustedFrom: NOW };
  expect(nextState(null, NOW, true)).toEqual(waits);
  expect(nextState(null, NOW, false)).toEqual(USUAL);
});

it('the pause ends at its time, whatever the number of restarts', () => {
  const first = nextState(null, NOW, true);
  const { deletesFrom } = first;
  expect(nextState(first, NOW + MINUTE, true)).toMatchObject({ deletesFrom, trustedFrom: NOW });
  expect(nextState({ ...first, at: NOW + PAUSE }, NOW + PAUSE + 1, true)).toMatchObject({
    deletesFrom,
  });
});

it('a clock that jumps a year ahead deletes nothing, nor does its correction', () => {
  const year = 365 * DAY;
  const ahead = nextState(USUAL, NOW + year, true);
  expect(ahead).toEqual({
    at: NOW + year,
    deletesFrom: NOW + year + PAUSE,
    trustedFrom: NOW + year + PAUSE,
  });
  const corrected = nextState(ahead, NOW + MINUTE, true);
  expect(corrected.deletesFrom).toBe(NOW + MINUTE + PAUSE);
  expect(corrected.trustedFrom).toBe(NOW + MINUTE + PAUSE);
});

it('a gap of less than a week costs an hour, a short one nothing', () => {
  const night = nextState(USUAL, NOW + DAY, true);
  expect(night.trustedFrom).toBe(NOW + DAY + SHORT_PAUSE);
  expect(night.deletesFrom).toBe(NOW + DAY + SHORT_PAUSE);
  expect(nextState(USUAL, NOW + GAP, true)).toEqual({ ...USUAL, at: NOW + GAP });
});

it('a clock that is set back and corrected waits again', () => {
  const back = nextState(USUAL, NOW - 400 * DAY, true);
  expect(back.at).toBe(NOW - 400 * DAY);
  expect(nextState(back, NOW + MINUTE, true).trustedFrom).toBe(NOW + MINUTE + PAUSE);
});

it('a state that cannot be read counts as none, one of an earlier version is complete', () => {
  for (const text of [null, '', '{}', '{"at":"x"}', 'null']) expect(parseState(text)).toBeNull();
  expect(parseState('{"at":1,"deletesFrom":2}')).toEqual({ at: 1, deletesFrom: 2, trustedFrom: 0 });
  expect(parseState(JSON.stringify(USUAL))).toEqual(USUAL);
});
