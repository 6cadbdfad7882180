import { expect, it } from 'vitest';
import { coversRange, isMapped } from './local-users.ts';

const range = { first: 61_184, last: 65_519 };

it.each([
  ['         0          0 4294967295\n', true],
  ['         0       1000          1\n', false],
  ['         0     100000      65536\n', true],
  ['         0     100000      65519\n', false],
  ['0 1000 1\n1 100000 65535\n', true],
  ['', false],
])('knows of the map %j whether jobs can have these ids', (map, covered) => {
  expect(coversRange(map, range)).toBe(covered);
});

it('jobs can have all ids on a system without user namespaces', async () => {
  expect(await isMapped('uid', range, '/nonexistent')).toBe(true);
});
