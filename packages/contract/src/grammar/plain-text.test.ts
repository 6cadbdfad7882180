import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainLine, plainText } from './plain-text.ts';

test.each([
  ['plain, ünïcode 日本 👤', 'plain, ünïcode 日本 👤'],
  ['two\nlines\tand a tab', 'two\nlines\tand a tab'],
  ['of Windows\r\nfiles', 'of Windows\nfiles'],
  ['a\u001b[2J\u001b]0;title\u0007b', 'a\\x1b[2J\\x1b]0;title\\x07b'],
  ['over\rwritten', 'over\\x0dwritten'],
  ['\u009b31m', '\\x9b31m'],
  ['\u202egnp.exe', '\\u202egnp.exe'],
])('%j is shown as %j', (text, shown) => {
  expect(plainText(text)).toBe(shown);
});

test('one line stays one line', () => {
  expect(plainLine('a\r\n\n\tb\u001bc')).toBe('a b\\x1bc');
});

test('the result has nothing to interpret, and a second call changes nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const plain = plainText(text);
      expect(plain).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
      expect(plainText(plain)).toBe(plain);
    }),
  );
});
