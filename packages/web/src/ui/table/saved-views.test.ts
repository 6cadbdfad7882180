import { expect, it } from 'vitest';
import { currentView, parseViews, withView } from './saved-views.ts';

const mine = { name: 'mine', filters: { user: 'ada' } };

it('reads what it saved, and ignores everything else', () => {
  expect(parseViews([mine, { name: 1 }, null, { name: 'x', filters: { a: 1, b: 'c' } }])).toEqual([
    mine,
    { name: 'x', filters: { b: 'c' } },
  ]);
  expect(parseViews({ name: 'x' })).toEqual([]);
});

it('replaces a view of the same name, and finds the one that is shown', () => {
  const other = { name: 'all', filters: {} };
  const changed = { name: 'mine', filters: { user: 'bob' } };
  expect(withView(withView([mine], other), changed)).toEqual([other, changed]);
  expect(currentView([mine, other], { user: 'ada' })).toBe(mine);
  expect(currentView([mine, other], {})).toBe(other);
  expect(currentView([mine], { user: 'ada', q: 'x' })).toBeNull();
});
