import { expect, it } from 'vitest';
import { OpenCalls } from './open-calls.ts';

it('no user has more open than their share, and all together no more than the total', () => {
  const open = new OpenCalls({ perUser: 3, total: 5 });
  const enter = (user: string, count = 1) => open.enter(user, (whose) => new Error(whose), count);
  const leave = enter('a', 3);
  expect(() => enter('a')).toThrow('You have 3');
  enter('b', 2);
  expect(() => enter('c')).toThrow('This server has 5');
  leave();
  leave();
  enter('c', 3);
  expect(() => enter('a')).toThrow('This server has 5');
});
