import { expect, it } from 'vitest';
import { changedLines } from './text-diff.tsx';

it('shows changes with some lines around them', () => {
  const before = 'a\nb\nc\nd\ne\nf\ng\nh\ni\n';
  const after = 'a\nB\nc\nd\ne\nf\ng\nh\ni\nj\n';
  expect(changedLines(before, after).map(({ kind, text }) => `${kind} ${text}`)).toEqual([
    'same a',
    'removed b',
    'added B',
    'same c',
    'same d',
    'gap …',
    'same h',
    'same i',
    'added j',
  ]);
  expect(changedLines(before, before)).toEqual([]);
});
