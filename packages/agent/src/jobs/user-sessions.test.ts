import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { UserSessions } from './user-sessions.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1000 }));
afterEach(() => void vi.useRealTimers());

it('a user is active while a session is open, and was active when the last one ended', () => {
  const sessions = new UserSessions();
  expect(sessions.lastActivity()).toBeNull();
  const [endFirst, endSecond] = [sessions.begin(), sessions.begin()];
  vi.setSystemTime(2000);
  endFirst();
  endFirst();
  vi.setSystemTime(3000);
  expect([sessions.open, sessions.lastActivity()]).toEqual([1, 3000]);
  endSecond();
  vi.setSystemTime(9000);
  expect([sessions.open, sessions.lastActivity()]).toEqual([0, 3000]);
});
