import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TerminalQueries } from './terminal-queries.ts';

function shown(pieces: readonly (string | Uint8Array)[]): string {
  const written: Uint8Array[] = [];
  const queries = new TerminalQueries((bytes) => written.push(bytes));
  for (const piece of pieces) queries.add(Buffer.from(piece));
  queries.end();
  return Buffer.concat(written).toString();
}

test.each([
  ['where its cursor is', '\x1b[6n'],
  ['how it is', '\x1b[5n'],
  ['what it is', '\x1b[c'],
  ['what it is, in more detail', '\x1b[>0c'],
  ['its background, ended by a bell', '\x1b]11;?\x07'],
  ['its foreground, ended by a string terminator', '\x1b]10;?\x1b\\'],
])('a query to the terminal, %s, is not printed, however it is cut', (_, query) => {
  const whole = `before ${query}after`;
  for (let cut = 0; cut <= whole.length; cut++) {
    expect(shown([whole.slice(0, cut), whole.slice(cut)])).toBe('before after');
  }
});

test('colours, titles and everything else are printed unchanged', () => {
  const text = '\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b[2K\x1b[10Cé€ \x1b';
  expect(shown([text])).toBe(text);
  const bytes = fc.uint8Array().filter((each) => !each.includes(27));
  fc.assert(
    fc.property(fc.array(bytes), (pieces) => {
      expect(shown(pieces)).toBe(Buffer.concat(pieces).toString());
    }),
  );
});
