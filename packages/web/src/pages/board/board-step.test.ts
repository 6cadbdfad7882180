import { expect, it } from 'vitest';
import { boardStep } from './board-step.ts';

const SIZE = { rows: 10, stops: 3 };

it.each([
  ['ArrowRight', { row: 2, stop: 0 }, { row: 2, stop: 1 }],
  ['ArrowRight', { row: 2, stop: 2 }, null],
  ['ArrowLeft', { row: 2, stop: 1 }, { row: 2, stop: 0 }],
  ['ArrowLeft', { row: 2, stop: 0 }, null],
  ['ArrowDown', { row: 2, stop: 2 }, { row: 3, stop: 2 }],
  ['ArrowDown', { row: 9, stop: 1 }, { row: 9, stop: 1 }],
  ['ArrowUp', { row: 0, stop: 0 }, { row: 0, stop: 0 }],
  ['ArrowUp', { row: 4, stop: -1 }, { row: 3, stop: 0 }],
  ['End', { row: 2, stop: 2 }, { row: 9, stop: 0 }],
  ['Home', { row: 2, stop: 2 }, { row: 0, stop: 0 }],
  ['Enter', { row: 2, stop: 2 }, null],
])('%s leads from %j to %j', (key, from, to) => {
  expect(boardStep(key, from, SIZE)).toEqual(to);
});
