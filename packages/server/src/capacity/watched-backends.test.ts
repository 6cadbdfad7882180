import type { Backend } from '@dstack/backends';
import type { Signal } from '@dstack/core';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { WatchedBackends, type WatchedBackendsOptions } from './watched-backends.ts';

const instance = (id: string) => ({ id, handle: { id: `machine-${id}`, data: null } });

function world() {
  const signalled: string[][] = [];
  let report: (handleId: string) => void = () => {};
  let next = () => {};
  const database = { failures: 0 };
  const store = {
    instances: {
      madeBy: async (projectId: string, backend: string) => {
        expect([projectId, backend]).toEqual(['project', 'aws']);
        return [instance('up'), instance('starting')];
      },
    },
    engine: {
      signal: async (signals: readonly Signal[]) => {
        if (database.failures-- > 0) throw new Error('the database does not answer');
        expect(signals.every(({ kind }) => kind === 'observation')).toBe(true);
        signalled.push(signals.map(({ id }) => id));
        next();
      },
    },
  } as unknown as WatchedBackendsOptions['store'];
  const reported: string[] = [];
  const watched = new WatchedBackends({
    ...{ store, log: pino({ level: 'silent' }) },
    onReport: (id) => reported.push(id),
  });
  const backend = {
    name: 'aws',
    instances: {
      watch: (onChange: typeof report) => {
        report = onChange;
        return () => {
          report = () => {};
        };
      },
    },
  } as unknown as Backend;
  const signal = () =>
    new Promise<void>((resolve) => {
      next = resolve;
    });
  return {
    ...{ watched, backend, database, signalled, reported, signal },
    report: (id: string) => report(id),
  };
}

it('all instances of a backend are observed when the server begins to watch it', async () => {
  const { watched, backend, signalled } = world();
  await watched.watch('project', backend);
  expect(signalled).toEqual([['up', 'starting']]);
});

it('instances whose backend reports changes are observed, together and once', async () => {
  const { watched, backend, signalled, reported, signal, report } = world();
  const end = await watched.watch('project', backend);
  reported.length = 0;
  const next = signal();
  for (const id of ['machine-up', 'machine-up', 'machine-unknown']) report(id);
  await next;
  expect(signalled.at(-1)).toEqual(['up']);
  expect(reported).toEqual(['up']);
  end();
});

it('the first change is observed at once, and those that follow it together', async () => {
  const { watched, backend, signalled, signal, report } = world();
  const end = await watched.watch('project', backend);
  const first = signal();
  report('machine-up');
  await first;
  const second = signal();
  report('machine-up');
  report('machine-starting');
  await second;
  expect(signalled.slice(1)).toEqual([['up'], ['up', 'starting']]);
  end();
});

it('a change is observed though the database did not answer when it was reported', async () => {
  const { watched, backend, database, signalled, signal, report } = world();
  const end = await watched.watch('project', backend);
  database.failures = 2;
  const next = signal();
  report('machine-up');
  report('machine-starting');
  await next;
  expect(signalled.slice(1)).toEqual([['up', 'starting']]);
  end();
});

it('a backend without such reports is not watched', async () => {
  const { watched, signalled } = world();
  const silent = { name: 'aws', instances: {} } as unknown as Backend;
  await watched.watch('project', silent);
  expect(signalled).toEqual([]);
});
