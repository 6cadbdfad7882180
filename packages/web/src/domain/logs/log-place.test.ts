import { expect, it } from 'vitest';
import { LogLineReader } from './line-reader.ts';
import { isLoaded, lineAt, placeHash, readPlace } from './log-place.ts';

const T = Date.UTC(2026, 10, 27, 14, 0, 0);
const bytes = new TextEncoder().encode('one\ntwo\nthree\n');
const lines = new LogLineReader(100).read(bytes, [
  { end: 108, time: T },
  { end: 114, time: T + 1500 },
]);

it('is read from an address as it was written there', () => {
  const place = { offset: 104, time: T };
  expect(placeHash(place)).toBe('t=2026-11-27T14:00:00.000Z&at=104');
  expect(readPlace(placeHash(place))).toEqual(place);
  expect(readPlace('at=0')).toEqual({ offset: 0, time: null });
  expect(['', 'main', 'at=-1', 'at=x', 't=soon'].map(readPlace)).toEqual(Array(5).fill(null));
});

it('is the line that begins there or contains it, or the first one from a time on', () => {
  const at = (offset: number) => lineAt(lines, { offset, time: null })?.text;
  expect([at(100), at(104), at(106), at(113), at(99)]).toEqual([
    'one',
    'two',
    'two',
    'three',
    undefined,
  ]);
  const from = (time: number) => lineAt(lines, { offset: null, time })?.text;
  expect([from(T - 1), from(T + 1), from(T + 2000)]).toEqual(['one', 'three', undefined]);
});

it('is loaded if its byte is, or if times before and after it are', () => {
  const range = { lines, start: 100, end: 114 };
  const has = (offset: number | null, time: number | null, start = 100) =>
    isLoaded({ ...range, start }, { offset, time });
  expect([has(104, null), has(99, null), has(114, null)]).toEqual([true, false, false]);
  expect([has(null, T), has(null, T - 1), has(null, T + 2000)]).toEqual([true, false, false]);
  // Nothing is before the first byte.
  expect(has(null, T - 1, 0)).toBe(true);
});
