import { pacer } from '@dstack/proxy';
import { expect, it } from 'vitest';

/** Counts rounds of the event loop until it is stopped. */
function rounds() {
  let count = 0;
  let counting = true;
  const next = () => {
    count += 1;
    if (counting) setImmediate(next);
  };
  setImmediate(next);
  return {
    now: () => count,
    stop: () => {
      counting = false;
    },
  };
}

it('releases one caller per round of the event loop, in their order', async () => {
  const paced = pacer();
  const loop = rounds();
  const order: number[] = [];
  const begun = await Promise.all(
    [0, 1, 2].map(async (caller) => {
      await paced();
      order.push(caller);
      return loop.now();
    }),
  );
  expect(order).toEqual([0, 1, 2]);
  expect(new Set(begun).size).toBe(3);
  // It is free for others after a while without waiting callers.
  await paced();
  loop.stop();
});
