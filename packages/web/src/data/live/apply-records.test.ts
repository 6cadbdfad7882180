import type { Fleet, Instance } from '@dstack/contract/wire';
import { QueryClient } from '@tanstack/react-query';
import { expect, it } from 'vitest';
import { ChangeApplier } from './apply-changes.ts';

const instance = (id: string, status = 'idle') => ({ id, status }) as Instance;
const fleet = (id: string, ...instances: Instance[]) =>
  ({ id, name: id, status: 'active', instances }) as unknown as Fleet;

function world() {
  const cache = new QueryClient();
  const flushes: (() => void)[] = [];
  const changes = new ChangeApplier(cache, (run) => flushes.push(run));
  const scope = { project: null, active: false };
  cache.setQueryData(['fleet', 'list', scope], [fleet('pool', instance('a')), fleet('other')]);
  cache.setQueryData(['fleet', 'one', 'main', 'pool'], fleet('pool', instance('a')));
  cache.setQueryData(['instance', 'list', scope], [instance('a')]);
  return {
    flush: () => flushes.pop()?.(),
    changes,
    get: <T>(...key: string[]) => cache.getQueryData<T>(key.length === 2 ? [...key, scope] : key),
    isOutdated: (...key: string[]) =>
      cache.getQueryState(key.length === 2 ? [...key, scope] : key)?.isInvalidated,
  };
}

it('changes an instance in its row and inside of its fleet, without asking the server', () => {
  const w = world();
  const data = instance('a', 'busy');
  w.changes.add({ type: 'instance', id: 'a', project: 'main', version: 2, data });
  w.flush();
  expect(w.get<Instance[]>('instance', 'list')?.[0]?.status).toBe('busy');
  expect(w.get<Fleet[]>('fleet', 'list')?.[0]?.instances[0]?.status).toBe('busy');
  expect(w.get<Fleet>('fleet', 'one', 'main', 'pool')?.instances[0]?.status).toBe('busy');
  expect([w.isOutdated('instance', 'list'), w.isOutdated('fleet', 'list')]).toEqual([false, false]);
});

it('asks for lists that do not have the record yet', () => {
  const w = world();
  const data = instance('b');
  w.changes.add({ type: 'instance', id: 'b', project: 'main', version: 1, data });
  w.flush();
  expect([w.isOutdated('instance', 'list'), w.isOutdated('fleet', 'one', 'main', 'pool')]).toEqual([
    true,
    true,
  ]);
});

it('asks for everything of a record that is too large to be sent', () => {
  const w = world();
  w.changes.add({ type: 'fleet', id: 'pool', project: 'main', version: 2 });
  w.flush();
  expect(w.isOutdated('fleet', 'list')).toBe(true);
});
