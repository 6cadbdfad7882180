import { expect, it } from 'vitest';
import { DEFAULT_COLUMNS } from './column-choice.ts';
import { currentView, parseViews, withView } from './saved-views.ts';

const shown = (filters: Record<string, string>, columns = DEFAULT_COLUMNS) => ({
  filters,
  columns,
});
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
  expect(currentView([mine, other], shown({ user: 'ada' }))).toBe(mine);
  expect(currentView([mine, other], shown({}))).toBe(other);
  expect(currentView([mine], shown({ user: 'ada', q: 'x' }))).toBeNull();
});

it('has the columns too; views of earlier versions leave them as they are', () => {
  const ordered = { shown: null, order: ['user'] };
  const view = { ...mine, name: 'ordered', columns: ordered };
  expect(parseViews(JSON.parse(JSON.stringify([view])))).toEqual([view]);
  expect(currentView([view, mine], shown(mine.filters, ordered))).toBe(view);
  expect(currentView([view, mine], shown(mine.filters))).toBe(mine);
});

it('drops no view for a new one: where there are too many, a message asks the reader to forget one', () => {
  const views = Array.from({ length: 50 }, (_, i) => ({ ...mine, name: `view ${10 + i}` }));
  expect(() => withView(views, { ...mine, name: 'zoo' })).toThrow('remembers 50 views');
  expect(withView(views, { ...mine, name: 'view 59' })).toHaveLength(50);
});
