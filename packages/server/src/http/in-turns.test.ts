import { expect, it } from 'vitest';
import { mapInTurns } from './in-turns.ts';
import { wireJson, wireJsonPieces } from './json.ts';

/** Keeps the thread busy for about a millisecond. */
function busy(): void {
  const began = performance.now();
  while (performance.now() - began < 1);
}

it('other work runs between the parts of a long list', async () => {
  let rounds = 0;
  let isOver = false;
  const count = () => {
    rounds += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const items = Array.from({ length: 100 }, (_, index) => index);
  const doubled = await mapInTurns(items, (item) => {
    busy();
    return item * 2;
  });
  isOver = true;
  expect(doubled).toEqual(items.map((item) => item * 2));
  expect(rounds).toBeGreaterThan(5);
});

it.each([
  [[]],
  [[1]],
  [[1, 2, 3]],
  [[{ price: 1, name: 'é' }, null, [], 'x']],
  [{ a: [1, 2] }],
  [null],
  ['text'],
])('%j is the same in pieces', async (value) => {
  const pieces = await wireJsonPieces(value);
  expect(Buffer.concat(pieces).toString()).toBe(wireJson(value));
});
