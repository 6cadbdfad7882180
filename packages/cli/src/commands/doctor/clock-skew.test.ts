import { expect, test } from 'vitest';
import { clockSkew } from './server-checks.ts';

test.each([
  ['one clock, read late in its second', 1_000, 1_990, 1_995, 0],
  ['one clock, whose second ends while the request is on its way', 2_000, 1_990, 2_010, 0],
  ['a slow answer proves nothing', 5_000, 1_000, 5_500, 0],
  ['a server that is behind', 1_000, 62_500, 62_600, 60_500],
  ['a server that is ahead', 62_000, 1_900, 2_000, 60_000],
])(
  'the header of a full second proves no difference that is not there: %s',
  (_what, date, sentAt, receivedAt, skew) => {
    expect(clockSkew(date, { sentAt, receivedAt })).toBe(skew);
  },
);
