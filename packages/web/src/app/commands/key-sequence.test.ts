import { describe, expect, it } from 'vitest';
import { conflictingKeys } from './command.ts';
import { NO_SEQUENCE, nextSequence, pressedKey } from './key-sequence.ts';

const press = (key: string, more: object = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...more,
});

describe('a pressed key', () => {
  it.each([
    [press('r'), 'r'],
    [press('K', { ctrlKey: true }), 'mod+k'],
    [press('k', { metaKey: true }), 'mod+k'],
    [press('?', { shiftKey: true }), '?'],
    [press('Shift', { shiftKey: true }), null],
    [press('ä', { altKey: true }), null],
  ])('%o is %s', (event, key) => {
    expect(pressedKey(event)).toBe(key);
  });
});

describe('a sequence of keys', () => {
  const known = new Set(['g r', 'g f', '/']);

  it('is complete with its second key', () => {
    const first = nextSequence(NO_SEQUENCE, 'g', 0, known);
    expect(first.keys).toBeNull();
    expect(nextSequence(first.state, 'r', 500, known).keys).toBe('g r');
  });

  it('is forgotten after a while, and by another key', () => {
    const { state } = nextSequence(NO_SEQUENCE, 'g', 0, known);
    expect(nextSequence(state, 'r', 2000, known).keys).toBeNull();
    expect(nextSequence(state, 'x', 100, known).state).toEqual(NO_SEQUENCE);
  });

  it('does not delay single keys', () => {
    expect(nextSequence(NO_SEQUENCE, '/', 0, known).keys).toBe('/');
  });
});

it('reports keys of two commands', () => {
  const commands = [{ keys: 's' }, { keys: 'l' }, { keys: 's' }, {}];
  expect(conflictingKeys(commands)).toEqual(['s']);
});
