import { describe, expect, test, vi } from 'vitest';
import { type CronSchedule, nextCronTime, parseCron } from './cron.ts';
import { Problem } from './problem.ts';

describe('schedules', () => {
  test.each([
    '* * * * *',
    '*/15 9-17 * * mon-fri',
    '0 0 last * *',
    '0 8 1,15,last JAN-mar *',
    '5/10 0 * * 6',
    '0-30/10 * * * *',
  ])('%s is accepted', (text) => {
    expect(parseCron(text)).not.toBeInstanceOf(Problem);
  });

  test.each([
    '',
    '@daily',
    '0 8 * *',
    '0 0 8 * * *',
    '61 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 7',
    '* * * * sun-mon',
    '5-1 * * * *',
    '*/0 * * * *',
    '*/60 * * * *',
    '0-10/11 * * * *',
    '* * L * *',
    '? * * * *',
    '* * * * last',
    '1,,2 * * * *',
  ])('%j is refused', (text) => {
    expect(parseCron(text)).toBeInstanceOf(Problem);
  });

  test.each([
    ['0 8 * * *', '2026-01-01T07:59:30Z', '2026-01-01T08:00:00Z'],
    ['0 8 * * *', '2026-01-01T08:00:00Z', '2026-01-02T08:00:00Z'],
    // 0 is Monday: 2026-01-05 is a Monday.
    ['0 0 * * 0', '2026-01-01T00:00:00Z', '2026-01-05T00:00:00Z'],
    ['0 0 * * mon', '2026-01-01T00:00:00Z', '2026-01-05T00:00:00Z'],
    ['0 0 last * *', '2028-02-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    // Day and weekday must both match: the next Friday the 13th.
    ['0 0 13 * fri', '2026-01-01T00:00:00Z', '2026-02-13T00:00:00Z'],
    ['59 23 31 12 *', '2026-12-31T23:59:00Z', '2027-12-31T23:59:00Z'],
  ])('%s after %s is %s', (text, after, expected) => {
    const next = nextCronTime(parseCron(text) as CronSchedule, Date.parse(after));
    expect(new Date(next ?? 0).toISOString()).toBe(new Date(expected).toISOString());
  });

  test('a day that never comes has no next time', () => {
    expect(nextCronTime(parseCron('0 0 30 2 *') as CronSchedule, 0)).toBeUndefined();
  });

  test('a day that comes rarely is looked for by months, and found where years begin', () => {
    const leap = parseCron('30 1 29 feb *') as CronSchedule;
    const at = (text: string) => Date.parse(text);
    expect(nextCronTime(leap, at('2023-12-31T23:59:59Z'))).toBe(at('2024-02-29T01:30:00Z'));
    expect(nextCronTime(leap, at('2024-02-29T01:30:00Z'))).toBe(at('2028-02-29T01:30:00Z'));
    const last = parseCron('0 0 last dec *') as CronSchedule;
    expect(nextCronTime(last, at('2024-12-31T00:00:00Z'))).toBe(at('2025-12-31T00:00:00Z'));
    const reads = vi.spyOn(Date, 'UTC');
    nextCronTime(leap, at('2024-02-29T01:30:00Z'));
    // One of each month would be about a hundred, one of each day more than a thousand.
    expect(reads.mock.calls.length).toBeLessThan(20);
    reads.mockRestore();
  });
});
