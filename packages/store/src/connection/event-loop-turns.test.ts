import { expect, it } from 'vitest';
import { EventLoopTurns } from './event-loop-turns.ts';

it('other work of the process gets its turn while the database is used without a pause', async () => {
  let now = 0;
  const turns = new EventLoopTurns(() => now);
  let served = 0;
  const serve = () => {
    served++;
    if (served < 3) setImmediate(serve);
  };
  setImmediate(serve);
  const uses: number[] = [];
  for (let i = 0; i < 40; i++) {
    await turns.take();
    uses.push(served);
    now += 1;
  }
  // The first ten milliseconds belong to the database alone.
  expect(uses.slice(0, 11).every((count) => count === 0)).toBe(true);
  expect(uses.at(-1)).toBe(3);
});

it('nothing waits where there is little to do', async () => {
  const turns = new EventLoopTurns(() => 0);
  let waited = false;
  setImmediate(() => {
    waited = true;
  });
  for (let i = 0; i < 100; i++) await turns.take();
  expect(waited).toBe(false);
});
