import { expect, it } from 'vitest';
import { parseAskedTime } from './asked-time.ts';

const NOW = new Date(2026, 10, 27, 14, 30, 0).getTime();
const local = (...parts: [number, number, number, number, number, number, number?]) =>
  new Date(...parts).getTime();

it.each([
  ['-10m', NOW - 600_000],
  ['-1h30m', NOW - 5_400_000],
  ['-45s', NOW - 45_000],
  ['14:03', local(2026, 10, 27, 14, 3, 0)],
  ['14:03:10.12', local(2026, 10, 27, 14, 3, 10, 120)],
  // Not reached yet today.
  ['23:00', local(2026, 10, 26, 23, 0, 0)],
  ['2026-11-26', local(2026, 10, 26, 0, 0, 0)],
  ['2026-11-26 08:15', local(2026, 10, 26, 8, 15, 0)],
  [' 2026-11-26T08:15:30.5Z ', Date.UTC(2026, 10, 26, 8, 15, 30, 500)],
  ['2026-11-26 08:15:30 +02:00', Date.UTC(2026, 10, 26, 6, 15, 30)],
])('%j is understood', (text, time) => {
  expect(parseAskedTime(text, NOW)).toEqual({ kind: 'time', time });
});

it.each(['', 'yesterday', '25:00', '12:75', '2026-13-40', '10m', '-10x', '12'])(
  '%j is refused with what can be typed',
  (text) => {
    expect(parseAskedTime(text, NOW)).toMatchObject({
      kind: 'unclear',
      problem: expect.stringMatching('such as 14:03'),
    });
  },
);
