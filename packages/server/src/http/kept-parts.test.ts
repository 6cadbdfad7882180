import { expect, it } from 'vitest';
import { wireJson } from './json.ts';
import { perRecord } from './kept-parts.ts';

it('builds a part once per record and remaining arguments', () => {
  let made = 0;
  const part = perRecord(({ id }: { id: string }, name: string) => ({ id, name, n: ++made }));
  const record = { id: 'a' };
  expect(part(record, 'x')).toBe(part(record, 'x'));
  expect(part(record, 'y')).toEqual({ id: 'a', name: 'y', n: 2 });
  expect(part({ id: 'a' }, 'y')).toEqual({ id: 'a', name: 'y', n: 3 });
});

it('writes JSON around parts that were sent before', () => {
  const part = perRecord((spec: { memory: { min: number } }) => ({ ...spec, list: [1, 'é'] }));
  const spec = { memory: { min: 8 } };
  const answer = () => wireJson([{ spec: part(spec), price: 1 }, null]);
  const first = answer();
  expect(first).toBe('[{"spec":{"memory":{"min":8.0},"list":[1,"é"]},"price":1.0},null]');
  expect(answer()).toBe(first);
});
