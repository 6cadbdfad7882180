import { expect, it } from 'vitest';
import type { BoardBar } from '../../domain/capacity/board-bars.ts';
import { aFleet, anInstance } from '../../testing/fleets.ts';
import { boardRows } from './board-rows.ts';

const NONE = new Map();
const bar: BoardBar = {
  ...{ key: 't', kind: 'tried' as const, name: 'mine', run: null, project: null, user: null },
  ...{ blocks: 1, from: 0, to: null },
};
const fleets = [
  aFleet('b', [anInstance('b', 10), anInstance('b', 9)]),
  aFleet('a', [anInstance('a', 0), anInstance('a', 1, { status: 'terminated' })]),
];
const names = (tried: ReadonlyMap<string, readonly BoardBar[]> = NONE) =>
  boardRows(fleets, NONE, tried).map(({ instance }) => instance.name);

it('has the instances fleet by fleet, in the order of their numbers, without those that have ended', () => {
  expect(names()).toEqual(['a-0', 'b-9', 'b-10']);
});

it('has those on top where the tried configuration would go', () => {
  const tried = new Map([[anInstance('b', 10).id, [bar]]]);
  expect(names(tried)).toEqual(['b-10', 'a-0', 'b-9']);
});
