import { expect, it } from 'vitest';
import { inBackground, isInBackground } from './callers.ts';
import { ConnectionTurns } from './connection-turns.ts';

/** The names of those who have it, in order, all of whom come while another has it. */
async function orderOf(names: readonly string[]): Promise<string[]> {
  const turns = new ConnectionTurns();
  await turns.take(false);
  const order: string[] = [];
  const all = names.map(async (name) => {
    await turns.take(name.startsWith('background'));
    order.push(name);
    turns.give();
  });
  turns.give();
  await Promise.all(all);
  return order;
}

it('one at a time has it, in the order of coming', async () => {
  const turns = new ConnectionTurns();
  const order: string[] = [];
  const use = async (name: string) => {
    await turns.take(false);
    order.push(`${name} takes`);
    await Promise.resolve();
    order.push(`${name} gives`);
    turns.give();
  };
  await Promise.all(['a', 'b', 'c'].map(use));
  expect(order).toEqual(['a takes', 'a gives', 'b takes', 'b gives', 'c takes', 'c gives']);
});

it('it is free again when the last one gave it', async () => {
  const turns = new ConnectionTurns();
  await turns.take(false);
  turns.give();
  await turns.take(true);
});

it('requests go before work in the background that came first', async () => {
  expect(await orderOf(['background 1', 'background 2', 'a', 'b'])).toEqual([
    ...['a', 'b', 'background 1', 'background 2'],
  ]);
});

it('work in the background goes on where requests never end', async () => {
  const requests = Array.from({ length: 20 }, (_, i) => `request ${i}`);
  const order = await orderOf(['background 1', 'background 2', 'background 3', ...requests]);
  expect(order.indexOf('background 1')).toBe(8);
  expect(order.indexOf('background 2')).toBe(17);
  expect(order.at(-1)).toBe('background 3');
});

it('all that work in the background starts is in the background', async () => {
  expect(isInBackground()).toBe(false);
  const later = await inBackground(
    () => new Promise<boolean>((resolve) => setImmediate(() => resolve(isInBackground()))),
  );
  expect(later).toBe(true);
  expect(isInBackground()).toBe(false);
});
