import { expect, it } from 'vitest';
import { Turns } from './turns.ts';

const task = () => Promise.withResolvers<void>();

it('runs tasks of one key one after the other, also after one that failed', async () => {
  const turns = new Turns(8);
  const order: string[] = [];
  const first = task();
  const one = turns.run('host', async () => {
    await first.promise;
    order.push('first');
    throw new Error('failed');
  });
  const two = turns.run('host', async () => void order.push('second'));
  await turns.run('other', async () => void order.push('other'));
  first.resolve();
  await expect(one).rejects.toThrow('failed');
  await two;
  expect(order).toEqual(['other', 'first', 'second']);
});

it('runs at most its limit of tasks at a time', async () => {
  const turns = new Turns(2);
  const tasks = [task(), task(), task()];
  let running = 0;
  let most = 0;
  const all = tasks.map(({ promise }, index) =>
    turns.run(String(index), async () => {
      most = Math.max(most, ++running);
      await promise;
      running -= 1;
    }),
  );
  for (const { resolve } of tasks) resolve();
  await Promise.all(all);
  expect([most, running]).toEqual([2, 0]);
});
