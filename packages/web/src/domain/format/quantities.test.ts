import { describe, expect, it } from 'vitest';
import { bytes, mebibytes, money, plural } from './quantities.ts';

describe('sizes', () => {
  it.each([
    [0, '0 B'],
    [1536, '1.5 KB'],
    [734_003_200, '700 MB'],
    [25_275_924_480, '23.5 GB'],
    [2048 * 1024 ** 3, '2 TB'],
  ])('%i bytes are %s', (value, text) => {
    expect(bytes(value)).toBe(text);
  });

  it.each([
    [512, '512 MB'],
    [24_105, '24 GB'],
    [81_920, '80 GB'],
    [1_572_864, '1.5 TB'],
  ])('%i MiB are %s', (value, text) => {
    expect(mebibytes(value)).toBe(text);
  });
});

it.each([
  [0, '$0'],
  [0.0412, '$0.0412'],
  [2.3, '$2.30'],
  [100, '$100.00'],
  [1812, '$1,812'],
  [-1812.4, '-$1,812'],
])('%d dollars are %s', (value, text) => {
  expect(money(value)).toBe(text);
});

it('counts one thing as one', () => {
  expect([plural(1, 'run'), plural(1200, 'run')]).toEqual(['1 run', '1,200 runs']);
});
