import { expect, it } from 'vitest';
import { terminalKey } from './terminal-keys.ts';

const press = (key: string, more: object = {}) =>
  ({
    type: 'keydown',
    key,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    ...more,
  }) as KeyboardEvent;

it.each([
  [press('c', { ctrlKey: true }), false, 'program'],
  [press('c', { ctrlKey: true }), true, 'copy'],
  [press('C', { ctrlKey: true, shiftKey: true }), false, 'copy'],
  [press('c', { metaKey: true }), false, 'copy'],
  [press('v', { ctrlKey: true }), false, 'paste'],
  [press('c', { ctrlKey: true, altKey: true }), true, 'program'],
  [press('Tab'), false, 'program'],
  [press('F6', { ctrlKey: true }), false, 'leave'],
] as const)('%o with selection %s: %s', (event, hasSelection, expected) => {
  expect(terminalKey(event, hasSelection)).toBe(expected);
});
