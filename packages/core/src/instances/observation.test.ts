import { describe, expect, test } from 'vitest';
import { SECOND } from '../model/values.ts';
import {
  expectedObservation,
  isNews,
  isWorthStoring,
  notObserved,
  observed,
} from './observation.ts';

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

  test('stores the first answer, what is news, and that nothing is asked any more', () => {
    const asked = { now: NOW, isSettled: false };
    const later = { now: NOW + 9 * SECOND, isSettled: false };
    const up = observed(first, ready, asked);
    expect(isWorthStoring(undefined, up)).toBe(true);
    expect(isWorthStoring(up, observed(up, ready, later))).toBe(false);
    expect(isWorthStoring(up, observed(up, pending, later))).toBe(true);
    expect(isWorthStoring(up, observed(up, ready, { ...later, isSettled: true }))).toBe(true);
    const failing = notObserved(up, 'HTTP 500', later.now);
    expect(isWorthStoring(up, failing)).toBe(true);
    expect(isWorthStoring(failing, notObserved(failing, 'HTTP 500', later.now + SECOND))).toBe(
      false,
    );
  });

  test('waits longer after each failure, up to a minute, also where only the first was stored', () => {
    const stored = notObserved(first, 'HTTP 500', NOW);
    const delays: number[] = [];
    for (
      let now = stored.nextPassAt ?? 0;
      delays.length < 6;
      now += (delays.at(-1) ?? 0) * SECOND
    ) {
      delays.push(((notObserved(stored, 'HTTP 500', now).nextPassAt ?? 0) - now) / SECOND);
    }
    expect(delays).toEqual([2, 6, 18, 54, 60, 60]);
  });
});
