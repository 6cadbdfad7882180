import { QueryClient } from '@tanstack/react-query';
import { expect, it } from 'vitest';
import { aRun } from '../../testing/runs.ts';
import { runKeys } from '../runs/run-queries.ts';
import { runRow } from '../runs/run-row.ts';
import { ChangeApplier } from './apply-changes.ts';

const SCOPE = { project: null, user: null, active: false };

function world() {
  const cache = new QueryClient();
  const key = runKeys.list(SCOPE);
  cache.setQueryData(key, { pages: [[runRow(aRun('train'))]], pageParams: [null] });
  const flushes: (() => void)[] = [];
  const changes = new ChangeApplier(cache, (run) => flushes.push(run));
  const statuses = () =>
    cache
      .getQueryData<{ pages: { name: string; status: string }[][] }>(key)
      ?.pages.flat()
      .map(({ name, status }) => `${name} ${status}`);
  const change = (version: number, status: 'running' | 'terminating' | 'done') => {
    const data = aRun('train', { status });
    changes.add({ type: 'run', id: data.id, project: 'main', version, data });
  };
  return { cache, flushes, changes, change, statuses };
}

it('applies all changes of a frame at once', () => {
  const w = world();
  w.change(2, 'terminating');
  w.change(3, 'done');
  expect(w.flushes).toHaveLength(1);
  expect(w.statuses()).toEqual(['train running']);
  w.flushes[0]?.();
  expect(w.statuses()).toEqual(['train done']);
});

it('drops a change that a newer one has overtaken', () => {
  const w = world();
  w.change(3, 'done');
  w.change(2, 'terminating');
  w.flushes[0]?.();
  expect(w.statuses()).toEqual(['train done']);
});

it('marks the page of the changed run as outdated, not those of others', () => {
  const w = world();
  const train = aRun('train');
  const other = aRun('other');
  for (const run of [train, other]) {
    w.cache.setQueryData(runKeys.one('main', run.run_spec.run_name ?? ''), run);
    w.cache.setQueryData(runKeys.one('main', run.id), run);
  }
  w.change(2, 'terminating');
  w.flushes[0]?.();
  const isOutdated = (ref: string) =>
    w.cache.getQueryState(runKeys.one('main', ref))?.isInvalidated;
  expect(['train', train.id, 'other', other.id].map(isOutdated)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

it('marks what it cannot write itself as outdated', () => {
  const w = world();
  const { id } = aRun('train');
  w.cache.setQueryData(['fleet', 'list'], []);
  w.changes.add({ type: 'fleet', id, project: 'main', version: 1 });
  w.cache.setQueryData(runKeys.one('main', 'train'), aRun('train'));
  w.changes.add({ type: 'run', id, project: 'main', version: 9 });
  w.flushes[0]?.();
  const isOutdated = (key: readonly unknown[]) => w.cache.getQueryState(key)?.isInvalidated;
  expect([isOutdated(['fleet', 'list']), isOutdated(runKeys.one('main', 'train'))]).toEqual([
    true,
    true,
  ]);
});
