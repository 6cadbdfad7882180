import { describe, expect, it } from 'vitest';
import { clockCheck, readingOfReport, readingOfRoundTrip } from './clock-check.ts';

const SECOND = 1_000_000;
const check = (ahead: number, error = 0) =>
  clockCheck({ ahead: ahead * SECOND, error: error * SECOND });

describe('the clock of a host', () => {
  it.each([
    [0, 'healthy', null],
    [4, 'healthy', null],
    [-4, 'healthy', null],
    [12, 'warning', 'about 10 s ahead of the server'],
    [-47, 'warning', 'about 50 s behind the server'],
    [130, 'warning', 'about 2 min ahead of'],
    [-899, 'warning', 'about 10 min behind'],
    [901, 'failure', 'about 20 min ahead of'],
    [-7200, 'failure', 'about 2 h behind'],
    [86_400 * 365, 'failure', 'about 400 days ahead of'],
  ])('%d seconds from the server’s: %s', (ahead, status, text) => {
    const message = text === null ? null : expect.stringContaining(text);
    expect(check(ahead)).toEqual({ name: 'clock', status, message });
  });

  it('counts as right if a slow round trip can explain the difference', () => {
    expect(check(7, 3).status).toBe('healthy');
    expect(check(1000, 200).status).toBe('warning');
  });

  it('is read from a report only if that suffices', () => {
    expect(readingOfReport(5 * SECOND, 6 * SECOND)).toEqual({ ahead: -SECOND, error: 0 });
    expect(readingOfReport(5 * SECOND, 60 * SECOND)).toBeNull();
    expect(readingOfReport(60 * SECOND, 5 * SECOND)).toBeNull();
  });

  it('is read at the middle of a round trip', () => {
    const trip = { sentAt: 10 * SECOND, receivedAt: 14 * SECOND };
    const reading = { ahead: 100 * SECOND, error: 2 * SECOND };
    expect(readingOfRoundTrip(112 * SECOND, trip)).toEqual(reading);
  });
});
