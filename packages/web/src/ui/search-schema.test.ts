import { expect, it } from 'vitest';
import { choiceParameter, numberParameter, searchSchema, textParameter } from './search-schema.ts';

const schema = searchSchema({
  q: textParameter(1, 5),
  show: choiceParameter(['all', 'none']),
  attempt: numberParameter(1, 9),
});

it('reads what it understands', () => {
  const search = { q: 'abc', show: 'all', attempt: 3 };
  expect(schema.parse({ ...search, other: 1 })).toEqual(search);
});

it('counts everything else as missing', () => {
  for (const odd of [
    { q: '', show: 'some', attempt: 0 },
    { q: 'too long', show: 1, attempt: 1.5 },
    { q: ['a'], show: null, attempt: '3' },
    {},
  ]) {
    expect(schema.parse(odd)).toEqual({});
  }
});
