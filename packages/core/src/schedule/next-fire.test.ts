import { describe, expect, it } from 'vitest';
import { nextFire } from './next-fire.ts';

const at = (text: string): number => Date.parse(text) * 1000;
const fire = (cron: string | string[], after: string): string | null => {
  const next = nextFire([cron].flat(), at(after));
  return next === null ? null : new Date(next / 1000).toISOString();
};

describe('nextFire', () => {
  // 2026-11-24 is a Tuesday.
  it.each([
    ['*/15 * * * *', '2026-11-24T10:00:00Z', '2026-11-24T10:15:00.000Z'],
    ['0 8 * * mon', '2026-11-24T10:00:00Z', '2026-11-30T08:00:00.000Z'],
    ['0 8 * * MON-FRI', '2026-11-27T09:00:00Z', '2026-11-30T08:00:00.000Z'],
    ['0 0 last * *', '2026-11-24T10:00:00Z', '2026-11-30T00:00:00.000Z'],
    ['0 0 29 feb *', '2026-11-24T10:00:00Z', '2028-02-29T00:00:00.000Z'],
  ])('fires %s after %s at %s', (cron, after, expected) => {
    expect(fire(cron, after)).toBe(expected);
  });

  it('counts weekdays from Monday, unlike other crons', () => {
    expect(fire('0 8 * * 0', '2026-11-24T10:00:00Z')).toBe('2026-11-30T08:00:00.000Z');
    expect(fire('0 8 * * 6', '2026-11-24T10:00:00Z')).toBe('2026-11-29T08:00:00.000Z');
  });

  it('requires both day and weekday to match', () => {
    expect(fire('0 0 13 * fri', '2026-11-24T10:00:00Z')).toBe('2027-08-13T00:00:00.000Z');
  });

  it('never fires again at the instant it starts from', () => {
    expect(fire('0 8 * * *', '2026-11-24T08:00:00Z')).toBe('2026-11-25T08:00:00.000Z');
  });

  it('takes the earliest of several expressions', () => {
    expect(fire(['0 20 * * *', '0 12 * * *'], '2026-11-24T10:00:00Z')).toBe(
      '2026-11-24T12:00:00.000Z',
    );
  });

  it('returns null for a day that never comes', () => {
    expect(fire('0 0 31 feb *', '2026-11-24T10:00:00Z')).toBeNull();
  });
});
