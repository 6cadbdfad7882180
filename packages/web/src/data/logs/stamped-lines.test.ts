import { expect, it } from 'vitest';
import { StampedLines } from './stamped-lines.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const OUTPUT = 'first\n\nthird ä\nopen';
const TIMES = [
  { end: 7, time: 1000 },
  { end: 12, time: 2000 },
  { end: 20, time: 3500 },
];
const STAMPED = [
  '1970-01-01T00:00:01.000Z first',
  '1970-01-01T00:00:01.000Z ',
  '1970-01-01T00:00:03.500Z third ä',
  '1970-01-01T00:00:03.500Z open',
].join('\n');

it('puts the time of its end before each line, wherever pieces end', () => {
  const output = encode(OUTPUT);
  for (let size = 1; size <= output.length; size += 1) {
    const lines = new StampedLines();
    let text = '';
    for (let at = 0; at < output.length; at += size) {
      text += decode(lines.add(output.subarray(at, at + size), at === 0 ? TIMES : []));
    }
    expect(text + decode(lines.rest())).toBe(STAMPED);
  }
});

it('stamps an endless line once', () => {
  const lines = new StampedLines();
  const piece = new Uint8Array(200_000).fill(120);
  let text = '';
  for (let at = 0; at < 5; at += 1) {
    text += decode(lines.add(piece, [{ end: (at + 1) * piece.length, time: at * 1000 }]));
  }
  text += decode(lines.add(encode('end\nnext\n'), [{ end: 1_000_010, time: 9000 }]));
  expect(text).toBe(
    `1970-01-01T00:00:01.000Z ${'x'.repeat(1_000_000)}end\n1970-01-01T00:00:09.000Z next\n`,
  );
  expect(lines.rest()).toHaveLength(0);
});

it('leaves the place of an unknown time empty, and has nothing of no output', () => {
  const lines = new StampedLines();
  expect(decode(lines.add(encode('a\n'), []))).toBe(`${' '.repeat(25)}a\n`);
  expect(lines.rest()).toHaveLength(0);
});
