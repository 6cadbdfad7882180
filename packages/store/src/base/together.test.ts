import { expect, it } from 'vitest';
import { together } from './together.ts';

function counted() {
  const queries: (readonly string[])[] = [];
  const find = together(async (ids) => {
    queries.push(ids);
    return new Map(ids.filter((id) => id !== 'gone').map((id) => [id, `the ${id}`]));
  });
  return { queries, find };
}

it('what is asked for at the same time is read by one query, each id once', async () => {
  const { queries, find } = counted();
  const later = Promise.resolve().then(() => find('c'));
  expect(await Promise.all([find('a'), find('b'), find('a'), later])).toEqual([
    ...['the a', 'the b', 'the a', 'the c'],
  ]);
  expect(queries).toEqual([['a', 'b', 'c']]);
});

it('what is asked for after a query began is read by another', async () => {
  const { queries, find } = counted();
  await find('a');
  await find('a');
  expect(queries).toEqual([['a'], ['a']]);
});

it('what does not exist is null, beside what does', async () => {
  const { find } = counted();
  expect(await Promise.all([find('gone'), find('a')])).toEqual([null, 'the a']);
});

it('an error rejects all who asked, and no later caller', async () => {
  let fails = true;
  const find = together(async (ids) => {
    if (fails) throw new Error('no connection');
    return new Map(ids.map((id) => [id, id]));
  });
  const both = await Promise.allSettled([find('a'), find('b')]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fails = false;
  expect(await find('a')).toBe('a');
});
