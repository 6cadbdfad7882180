import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { NewestOnly } from './newest-only.ts';

it('writes one after another, and of each key the newest value', async () => {
  const written: string[] = [];
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const errors: string[] = [];
  const newest = new NewestOnly<number>({
    write: async (key, value) => {
      await gates[written.push(`${key}${value}`) - 1]?.promise;
      if (value === 9) throw new Error('full');
    },
    onError: (key) => errors.push(key),
  });
  for (const value of [1, 2, 3]) newest.put('a', value);
  newest.put('b', 9);
  expect(written).toEqual(['a1']);
  gates[0]?.resolve();
  await setImmediate();
  expect(written).toEqual(['a1', 'a3']);
  gates[1]?.resolve();
  await setImmediate();
  expect(written).toEqual(['a1', 'a3', 'b9']);
  expect(errors).toEqual(['b']);
  newest.put('a', 4);
  await setImmediate();
  expect(written.at(-1)).toBe('a4');
});

it('keeps a limited number of keys', async () => {
  let writes = 0;
  const gate = Promise.withResolvers<void>();
  const newest = new NewestOnly<null>({
    write: async () => {
      writes += 1;
      await gate.promise;
    },
    onError: () => {},
  });
  for (let key = 0; key < 50_000; key++) newest.put(String(key), null);
  gate.resolve();
  await expect.poll(() => writes).toBe(10_001);
});
