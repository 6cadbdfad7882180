import { expect, it } from 'vitest';
import { tableItems } from './table-items.ts';

it('puts rows under the name and the number of their group, in the order of names', () => {
  const items = tableItems(['b2', 'a1', 'b1'], (row) => row.slice(0, 1));
  expect(
    items.map((item) => (item.kind === 'row' ? item.row : `${item.name}: ${item.count}`)),
  ).toEqual(['a: 1', 'a1', 'b: 2', 'b2', 'b1']);
  expect(tableItems(['b', 'a'], undefined)).toHaveLength(2);
});
