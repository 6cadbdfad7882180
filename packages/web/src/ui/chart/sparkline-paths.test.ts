import { expect, it } from 'vitest';
import { sparklinePaths } from './sparkline-paths.ts';

const box = { width: 100, height: 22, start: 0, end: 100 };

it('draws shares of the height from left to right', () => {
  expect(sparklinePaths([0, 50, 100], [0, 0.5, 1], box)).toEqual(['0.0,21.0 50.0,11.0 100.0,1.0']);
});

it('leaves gaps where nothing is known, and shows single points', () => {
  expect(sparklinePaths([0, 50, 100], [0, null, 1], box)).toEqual([
    '0.0,21.0 0.0,21.0',
    '100.0,1.0 100.0,1.0',
  ]);
});

it('stays within its box', () => {
  expect(sparklinePaths([-10, 50, 120], [1, 7, -3], box)).toEqual(['50.0,1.0 100.0,21.0']);
  expect(sparklinePaths([], [], box)).toEqual([]);
});
