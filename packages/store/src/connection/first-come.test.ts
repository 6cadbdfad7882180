import { expect, it } from 'vitest';
import { FirstCome } from './first-come.ts';

it('one at a time has it, in the order of coming', async () => {
  const turn = new FirstCome();
  const order: string[] = [];
  const use = async (name: string) => {
    await turn.take();
    order.push(`${name} takes`);
    await Promise.resolve();
    order.push(`${name} gives`);
    turn.give();
  };
  await Promise.all(['a', 'b', 'c'].map(use));
  expect(order).toEqual(['a takes', 'a gives', 'b takes', 'b gives', 'c takes', 'c gives']);
});

it('it is free again when the last one gave it', async () => {
  const turn = new FirstCome();
  await turn.take();
  turn.give();
  await turn.take();
});
