import { expect, it } from 'vitest';
import { prettyLine } from './logging.ts';

it('a line for a terminal shows foreign values without control characters', () => {
  const entry = { level: 40, time: 0, msg: 'odd', run: 'a\u001b[2J', host: 'b\u009b1m c\nd' };
  const line = prettyLine(JSON.stringify({ ...entry, err: { message: '\u202ex' } }));
  expect(line).toMatch(
    /^\[..:..:..\] WARNING odd run=a\\x1b\[2J host="b\\x9b1m c\\nd" cause=\\u202ex\n$/,
  );
});
