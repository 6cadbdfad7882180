import { expect, it, vi } from 'vitest';
import { batched } from './batches.ts';

const { signal } = new AbortController();
const upper = async (keys: readonly string[]) =>
  new Map(keys.filter((key) => key !== 'missing').map((key) => [key, key.toUpperCase()]));

it('joins what is asked for at once, each thing a single time', async () => {
  const load = vi.fn(upper);
  const one = batched(load, 2);
  const answers = ['a', 'b', 'a', 'missing'].map((key) => one(key, signal));
  expect(await Promise.all(answers)).toEqual(['A', 'B', 'A', null]);
  expect(load.mock.calls).toEqual([[['a', 'b']], [['missing']]]);
  await one('c', signal);
  expect(load).toHaveBeenCalledTimes(3);
});

it('fails all that one request was for, and no others', async () => {
  const one = batched(async (keys) => {
    if (keys.includes('bad')) throw new Error('lost');
    return await upper(keys);
  }, 1);
  const answers = await Promise.allSettled([one('bad', signal), one('good', signal)]);
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
});

it('leaves out what all who asked have left', async () => {
  const load = vi.fn(upper);
  const one = batched(load, 10);
  const leave = new AbortController();
  const left = one('a', leave.signal);
  const kept = one('b', signal);
  leave.abort();
  await expect(left).rejects.toThrow();
  expect(await kept).toBe('B');
  expect(load.mock.calls).toEqual([[['b']]]);
});

it('lets go of what waits for an answer that never comes', async () => {
  const one = batched(() => new Promise<never>(() => {}), 10);
  const leave = new AbortController();
  const answer = one('a', leave.signal);
  setTimeout(() => leave.abort());
  await expect(answer).rejects.toThrow();
});
