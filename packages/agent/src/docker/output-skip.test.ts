import fc from 'fast-check';
import { expect, it } from 'vitest';
import { OutputSkip, RecentBytes } from './output-skip.ts';

it('leaves out exactly what was read before, however the copy is cut', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '\n'), maxLength: 30 });
  fc.assert(
    fc.property(text, text, fc.integer({ min: 1, max: 7 }), (before, after, size) => {
      const newlines = before.split('\n').length - 1;
      const tail = before.length - before.lastIndexOf('\n') - 1;
      const skip = new OutputSkip({ newlines, tail });
      const all = Buffer.from(before + after);
      const parts: Buffer[] = [];
      for (let at = 0; at < all.length; at += size)
        parts.push(skip.push(all.subarray(at, at + size)));
      expect(Buffer.concat(parts).toString()).toBe(after);
    }),
  );
});

it('compares copies only at the end of a line that both have', () => {
  const long = new RecentBytes(100);
  const short = new RecentBytes(100);
  long.push(Buffer.from('one\ntwo\n'));
  expect(long.endsLike(short)).toBe(false);
  short.push(Buffer.from('two\n'));
  expect(short.endsLike(long)).toBe(true);
  short.push(Buffer.from('th'));
  expect(short.endsLike(long)).toBe(false);
});
