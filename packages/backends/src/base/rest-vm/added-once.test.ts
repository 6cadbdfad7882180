import { expect, it } from 'vitest';
import { BackendError } from '../errors.ts';
import { addedOnce } from './added-once.ts';

/** An account that refuses a second key of the same name. */
function account() {
  const keys: string[] = [];
  const add = async () => {
    if (keys.length > 0) throw new BackendError('the name is taken');
    keys.push('main');
    return 'main';
  };
  return { keys, add, known: async () => keys[0] ?? null };
}

it('is there for two orders that add it at the same moment', async () => {
  const { keys, add, known } = account();
  expect(await Promise.all([addedOnce(add, known), addedOnce(add, known)])).toEqual([
    ...['main', 'main'],
  ]);
  expect(keys).toEqual(['main']);
});

it('is refused with the reason of the provider if it is still missing', async () => {
  const refused = () => Promise.reject(new BackendError('no room for keys'));
  await expect(addedOnce(refused, async () => null)).rejects.toThrow('no room for keys');
});
