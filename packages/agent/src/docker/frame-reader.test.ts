import { expect, it } from 'vitest';
import { FrameReader } from './frame-reader.ts';

function frame(type: number, text: string): Buffer {
  const header = Buffer.from([type, 0, 0, 0, 0, 0, 0, text.length]);
  return Buffer.concat([header, Buffer.from(text)]);
}

it.each([1, 2, 7, 8, 9, 100])('separates output from error in pieces of %i bytes', (size) => {
  const data = Buffer.concat([
    frame(1, 'out'),
    frame(2, 'error'),
    frame(1, ''),
    frame(1, ' again'),
  ]);
  const reader = new FrameReader();
  const received = { out: '', error: '' };
  for (let at = 0; at < data.length; at += size) {
    for (const { isError, bytes } of reader.read(data.subarray(at, at + size))) {
      received[isError ? 'error' : 'out'] += bytes;
    }
  }
  expect(received).toEqual({ out: 'out again', error: 'error' });
});
