import { SECOND } from '@dstack/core';
import { expect, it } from 'vitest';
import { nextState, PAUSE, parseState } from './pause.ts';

const NOW = 1_800_000_000 * SECOND;
const MINUTE = 60 * SECOND;

it('an installation with runs waits after the upgrade, a new one does not', () => {
  expect(nextState(null, NOW, true)).toEqual({ at: NOW, deletesFrom: NOW + PAUSE });
  expect(nextState(null, NOW, false)).toEqual({ at: NOW, deletesFrom: NOW });
});

it('the pause ends at its time, whatever the number of restarts', () => {
  const first = nextState(null, NOW, true);
  expect(nextState(first, NOW + MINUTE, true).deletesFrom).toBe(first.deletesFrom);
  expect(nextState({ ...first, at: NOW + PAUSE }, NOW + PAUSE + 1, true)).toEqual({
    ...{ at: NOW + PAUSE + 1, deletesFrom: NOW + PAUSE },
  });
});

it('a clock that jumps a year ahead deletes nothing, nor does its correction', () => {
  const usual = { at: NOW, deletesFrom: NOW };
  const year = 365 * 86_400 * SECOND;
  const ahead = nextState(usual, NOW + year, true);
  expect(ahead.deletesFrom).toBe(NOW + year + PAUSE);
  const corrected = nextState(ahead, NOW + MINUTE, true);
  expect(corrected).toEqual({ at: NOW + MINUTE, deletesFrom: NOW + MINUTE + PAUSE });
});

it('a state that cannot be read counts as none', () => {
  for (const text of [null, '', '{}', '{"at":"x"}', 'null']) expect(parseState(text)).toBeNull();
  expect(parseState('{"at":1,"deletesFrom":2}')).toEqual({ at: 1, deletesFrom: 2 });
});
