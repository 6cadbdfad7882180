import { expect, test } from 'vitest';
import { permanent, temporary } from './host-error.ts';

test('what a host has printed is shown by its error, and never carried out', () => {
  const printed = 'sh: \u001b[2J\u001b]0;title\u0007\u009b1m\r\u202ebad\nline two';
  const shown = 'sh: \\x1b[2J\\x1b]0;title\\x07\\x9b1m\\x0d\\u202ebad\nline two';
  expect([temporary(printed).message, permanent(printed).message]).toEqual([shown, shown]);
});
