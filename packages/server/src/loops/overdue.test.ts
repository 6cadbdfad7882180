import type { WorkKind } from '@dstack/core';
import { expect, it } from 'vitest';
import { overdue } from './overdue.ts';

/** Overdue records by kind; what has an alarm on this server. */
async function found(due: Partial<Record<WorkKind, readonly string[]>>, alarms: readonly string[]) {
  const engine = {
    due: async (kind: WorkKind, _until: number, limit: number) => (due[kind] ?? []).slice(0, limit),
  };
  const signals = await overdue({
    store: { engine },
    now: 1,
    hasAlarm: (kind, id) => alarms.includes(`${kind}:${id}`),
  });
  return signals.map(({ kind, id }) => `${kind}:${id}`);
}

it('takes up what is overdue, also where an alarm is set: another server may have moved it', async () => {
  expect(await found({ run: ['a'], instance: ['b'] }, ['run:a'])).toEqual(['run:a', 'instance:b']);
});

it('leaves observations alone that this server has an alarm for', async () => {
  const due = { observation: ['a', 'b'], 'volume-observation': ['c'] };
  const alarms = ['observation:a', 'volume-observation:c'];
  expect(await found(due, alarms)).toEqual(['observation:b']);
});

it('finds an observation without an alarm behind thousands that have one', async () => {
  const ids = Array.from({ length: 3000 }, (_, i) => String(i));
  const alarms = ids.slice(0, -1).map((id) => `observation:${id}`);
  expect(await found({ observation: ids }, alarms)).toEqual(['observation:2999']);
});

it('takes up a thousand records of a kind at most', async () => {
  const ids = Array.from({ length: 3000 }, (_, i) => String(i));
  expect(await found({ run: ids, observation: ids }, [])).toHaveLength(2000);
});
