import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { UserSessions } from './user-sessions.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a user is active while a session is open, and was active when the last one ended', () => {
  const sessions = new UserSessions();
  expect(sessions.lastActivity()).toBeNull();
  const [endFirst, endSecond] = [sessions.begin(), sessions.begin()];
  const begun = sessions.lastActivity() ?? 0;
  vi.advanceTimersByTime(1000);
  endFirst();
  endFirst();
  vi.advanceTimersByTime(1000);
  vi.setSystemTime(0);
  expect([sessions.open, sessions.lastActivity()]).toEqual([1, begun + 2000]);
  endSecond();
  vi.advanceTimersByTime(6000);
  expect([sessions.open, sessions.lastActivity()]).toEqual([0, begun + 2000]);
});
