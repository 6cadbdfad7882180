import { expect, it } from 'vitest';
import { offersText } from './texts.ts';

it.each([
  [0.34, '2 offers available from $0.34 an hour'],
  [0, '2 offers available'],
  [null, '2 offers available'],
])('offers from $%s an hour name a price only if they have one', (price, text) => {
  const row = { rule: null, asked: null, has: null, count: 2, price } as never;
  expect(offersText(row)).toBe(text);
});
