import { expect, test } from 'vitest';
import { quote } from './problem.ts';

test('a quoted text stays in one line, and a terminal interprets none of it', () => {
  expect(quote('root\n\tProxyCommand \x1b[2J')).toBe(String.raw`'root\n\tProxyCommand \x1b[2J'`);
  expect(quote('x'.repeat(61))).toBe(`'${'x'.repeat(57)}...'`);
});
