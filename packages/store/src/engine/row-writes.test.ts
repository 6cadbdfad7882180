import type { Change } from '@dstack/core';
import { expect, it } from 'vitest';
import { mergeUpdates } from './row-writes.ts';

const run = (id: string, version: number, priority: number): Change => ({
  ...{ type: 'run.update', id, version, set: { priority } },
});

it('makes one write of several steps on the same row, and the last value wins', () => {
  const second: Change = { type: 'run.update', id: 'a', version: 1, set: { status: 'running' } };
  expect(mergeUpdates([run('a', 1, 5), second, run('a', 1, 6)])).toEqual([
    { table: 'runs', id: 'a', version: 1, set: { priority: 6, status: 'running' } },
  ]);
});

it('does not hide that two versions were meant', () => {
  expect(mergeUpdates([run('a', 1, 5), run('a', 2, 6)])).toHaveLength(2);
});

it('orders writes the same way, whatever the order of the decision', () => {
  const job: Change = { type: 'job.update', id: 'z', version: 0, set: { ready: true } };
  const fleet: Change = { type: 'fleet.update', id: 'm', version: 0, set: { status: 'active' } };
  const changes = [run('b', 0, 1), job, run('a', 0, 1), fleet];
  const order = (list: readonly Change[]) => mergeUpdates(list).map(({ table, id }) => table + id);
  expect(order(changes)).toEqual(['fleetsm', 'jobsz', 'runsa', 'runsb']);
  expect(order(changes.toReversed())).toEqual(order(changes));
});
