import { expect, it } from 'vitest';
import { factsInMemory } from '../testing/vm-world.ts';
import { amendedFacts } from './amended-facts.ts';

it('changes a fact once at a time, also after a change that has failed', async () => {
  const { amend } = amendedFacts(factsInMemory(), () => 1);
  const add = () =>
    amend('count', (value, now) => ({ value: `${Number(value) + 1}`, result: now }));
  const failing = amend('count', () => {
    throw new Error('not possible');
  });
  const results = [add(), add(), add()];
  await expect(failing).rejects.toThrow('not possible');
  expect(await Promise.all(results)).toEqual([1000, 1000, 1000]);
  expect(await amend('count', (value) => ({ value: value ?? '', result: value }))).toBe('3');
});
