import { expect, it } from 'vitest';
import { LastLines } from './last-lines.ts';

const all = () => true;

it.each([1, 3, 1000])('the last lines that match are found, in pieces of %i bytes', (size) => {
  const lines = new LastLines(2, (line) => line.includes('loss'));
  const output = Buffer.from('loss 1\n\u001b[31mloss 2\u001b[0m\nother\n10%\rloss 3\nloss ü');
  for (let at = 0; at < output.length; at += size) lines.add(output.subarray(at, at + size));
  expect(lines.end()).toEqual(['loss 3', 'loss ü']);
});

it('neither many long lines nor one without an end fill the memory', () => {
  const lines = new LastLines(2000, all);
  const piece = Buffer.from(`${'x'.repeat(30_000)}\n`);
  for (let n = 0; n < 500; n++) lines.add(piece);
  for (let n = 0; n < 500; n++) lines.add(Buffer.alloc(30_000, 'y'));
  const kept = lines.end();
  expect(kept.join('').length).toBeLessThan(200_000);
  expect(kept.at(-1)).toMatch(/^y{4000}… \[the rest of the line was left out\]$/);
});
