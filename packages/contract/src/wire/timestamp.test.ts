import { describe, expect, it } from 'vitest';
import { formatTimestamp, parseTimestamp } from './timestamp.ts';

describe('timestamps', () => {
  it('are written with microseconds only when these are not zero', () => {
    expect(formatTimestamp(1_767_225_600_000_000)).toBe('2026-01-01T00:00:00Z');
    expect(formatTimestamp(1_767_225_600_000_005)).toBe('2026-01-01T00:00:00.000005Z');
    expect(formatTimestamp(1_767_225_600_120_000)).toBe('2026-01-01T00:00:00.120000Z');
    expect(formatTimestamp(-1)).toBe('1969-12-31T23:59:59.999999Z');
  });

  it.each([
    ['2026-01-01T00:00:00Z', 1_767_225_600_000_000],
    ['2026-01-01T00:00:00.000005Z', 1_767_225_600_000_005],
    ['2026-01-01 00:00:00', 1_767_225_600_000_000],
    ['2026-01-01T02:00:00+02:00', 1_767_225_600_000_000],
    ['2025-12-31T19:30:00-0430', 1_767_225_600_000_000],
    ['2026-01-01', 1_767_225_600_000_000],
    ['1767225600', 1_767_225_600_000_000],
    [1_767_225_600.5, 1_767_225_600_500_000],
    [1_767_225_600_000, 1_767_225_600_000_000],
  ])('%s is read as an instant', (text, micros) => {
    expect(parseTimestamp(text)).toBe(micros);
  });

  it.each([
    '',
    'yesterday',
    '2026-13-01T00:00:00Z',
    '2026-04-31',
    '2026-01-01T24:00:00Z',
    '2026-01-01T10:61:00Z',
  ])('%j is not an instant', (text) => {
    expect(parseTimestamp(text)).toBeNull();
  });
});
