import { expect, it } from 'vitest';
import { SharedParts } from './shared-parts.ts';

it('backends of one account share a part until the last one is closed, whatever is closed twice', () => {
  const ended: number[] = [];
  const parts = new SharedParts<number>((part) => void ended.push(part));
  let made = 0;
  const make = () => ++made;
  const [first, second, other] = [
    parts.join('a', make),
    parts.join('a', make),
    parts.join('b', make),
  ];
  expect([first.part, second.part, other.part]).toEqual([1, 1, 2]);
  first.leave();
  first.leave();
  expect([parts.size, ended]).toEqual([2, []]);
  second.leave();
  expect([parts.size, ended]).toEqual([1, [1]]);
  expect(parts.join('a', make).part).toBe(3);
});
