import { expect, test } from 'vitest';
import { permanent, temporary } from './host-error.ts';

test('output of a host is shown in its error, and never interpreted by a terminal', () => {
  const printed = 'sh: \u001b[2J\u001b]0;title\u0007\u009b1m\r\u202ebad\nline two';
  const shown = 'sh: \\x1b[2J\\x1b]0;title\\x07\\x9b1m\\x0d\\u202ebad\nline two';
  expect([temporary(printed).message, permanent(printed).message]).toEqual([shown, shown]);
});
