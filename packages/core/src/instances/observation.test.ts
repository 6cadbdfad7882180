import { describe, expect, test } from 'vitest';
import { SECOND } from '../model/values.ts';
import { expectedObservation, isNews, notObserved, observed } from './observation.ts';

const NOW = 1_000_000 * SECOND;
const first = expectedObservation('i', NOW);
const pending = { state: 'pending', text: 'booting' } as const;
const ready = { state: 'ready', machine: null } as const;

describe('the schedule of observations', () => {
  test('asks about a starting instance every second at first, then at growing intervals', () => {
    const ages = [0, 30, 1000].map((age) => {
      const now = NOW + age * SECOND;
      const record = observed(first, pending, { now, isSettled: false });
      return ((record.nextPassAt ?? 0) - now) / SECOND;
    });
    expect(ages).toEqual([1, 3, 15]);
  });

  test('asks about a live instance again within five minutes, and never if its backend reports changes', () => {
    const up = observed(first, ready, { now: NOW, isSettled: false });
    expect(up.nextPassAt).toBe(NOW + 5 * SECOND);
    const later = NOW + 86_400 * SECOND;
    expect(observed(up, ready, { now: later, isSettled: false }).nextPassAt).toBe(
      later + 300 * SECOND,
    );
    expect(observed(up, ready, { now: later, isSettled: true }).nextPassAt).toBeNull();
  });

  test('does not ask again about an interrupted instance', () => {
    const lost = { state: 'interrupted', reason: 'spot', text: '' } as const;
    expect(observed(first, lost, { now: NOW, isSettled: false }).nextPassAt).toBeNull();
  });

  test('doubles the delay while the backend does not answer, up to a minute', () => {
    let record = first;
    const delays: number[] = [];
    for (let now = NOW; delays.length < 8; now = record.nextPassAt ?? 0) {
      record = notObserved(record, 'HTTP 500', now);
      delays.push(((record.nextPassAt ?? 0) - now) / SECOND);
    }
    expect(delays).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(record.observation).toEqual(first.observation);
  });

  test('reports what changes a decision, not that time has passed', () => {
    const now = NOW + SECOND;
    const same = observed(observed(first, pending, { now: NOW, isSettled: false }), pending, {
      now,
      isSettled: false,
    });
    expect(isNews(observed(first, pending, { now: NOW, isSettled: false }), same)).toBe(false);
    expect(isNews(same, observed(same, ready, { now, isSettled: false }))).toBe(true);
    expect(isNews(same, notObserved(same, 'HTTP 500', now))).toBe(true);
  });
});
