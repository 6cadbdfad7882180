import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shellJoin, shellQuote } from './shell.ts';

test.each([
  ['/usr/bin/python3.12', '/usr/bin/python3.12'],
  ['--lr=0.1', '--lr=0.1'],
  ['', "''"],
  ['two words', "'two words'"],
  ['$HOME `id` \\', "'$HOME `id` \\'"],
  ["it's", `'it'"'"'s'`],
  ['é', "'é'"],
])('the argument %j is quoted as %s', (text, quoted) => expect(shellQuote(text)).toBe(quoted));

test('arguments are joined by blanks', () => {
  expect(shellJoin(['a', 'b c', '', '--x=1'])).toBe("a 'b c' '' --x=1");
});

test('a quoted argument is one word, and none of its characters is special', () => {
  const text = fc.string({ unit: fc.constantFrom(...`ab'"\\ $\`;&|<>()*?[]#~=%!\n`) });
  fc.assert(
    fc.property(text, (argument) => {
      // Every part is a plain word, a single-quoted text, or a quote in double quotes.
      expect(shellQuote(argument)).toMatch(/^(?:[\w@%+=:,./-]+|(?:'[^']*'|"'")+)$/);
    }),
  );
});
