import { expect, it } from 'vitest';
import type { Write } from './context.ts';
import { createGroupedWrites } from './grouped-writes.ts';

/** A database that shows which writes share a transaction; each waits until the test lets it go on. */
function database() {
  const transactions: string[][] = [];
  const held: (() => void)[] = [];
  const write = async <T>(work: (write: Write) => Promise<T>): Promise<T> => {
    await new Promise<void>((resolve) => held.push(resolve));
    const names: string[] = [];
    const answer = await work({ changed: (name: string) => names.push(name) } as never);
    transactions.push(names);
    return answer;
  };
  const grouped = createGroupedWrites(write);
  const store = (name: string) =>
    grouped(async ({ changed }) => {
      changed(name as never);
      if (name.startsWith('bad')) throw new Error(`${name} is refused`);
      return name;
    });
  const goOn = async () => {
    await Promise.resolve();
    held.shift()?.();
    // All reactions have run after one turn of the loop.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { transactions, store, goOn };
}

it('begins with the first write, and writes what comes meanwhile together', async () => {
  const { transactions, store, goOn } = database();
  const all = Promise.all(['a', 'b', 'c'].map(store));
  await goOn();
  await goOn();
  expect(await all).toEqual(['a', 'b', 'c']);
  expect(transactions).toEqual([['a'], ['b', 'c']]);
});

it('writes those of a group that fails one by one, and rejects only what fails by itself', async () => {
  const { transactions, store, goOn } = database();
  const all = Promise.allSettled(['a', 'b', 'bad', 'c'].map(store));
  for (let i = 0; i < 5; i++) await goOn();
  const states = (await all).map(({ status }) => status);
  expect(states).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(transactions).toEqual([['a'], ['b'], ['c']]);
});

it('goes on after a failure', async () => {
  const { transactions, store, goOn } = database();
  const bad = store('bad').catch(() => 'failed');
  await goOn();
  expect(await bad).toBe('failed');
  const good = store('good');
  await goOn();
  expect(await good).toBe('good');
  expect(transactions).toEqual([['good']]);
});

it('keeps groups small', async () => {
  const { transactions, store, goOn } = database();
  const all = Promise.all(Array.from({ length: 60 }, (_, i) => store(String(i))));
  for (let i = 0; i < 3; i++) await goOn();
  await all;
  expect(transactions.map((names) => names.length)).toEqual([1, 32, 27]);
});
