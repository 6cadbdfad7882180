import type { Signal } from '@dstack/core';
import { expect, it } from 'vitest';
import type { Bus } from '../connection/bus.ts';
import type { Db } from './context.ts';
import { createTransactions } from './transactions.ts';

const SIGNAL = { queue: 'run', id: 'r' } as unknown as Signal;

/** Transactions whose work succeeds, and that then fail. */
function failing(error: Error, postgres: boolean) {
  const signals: Signal[] = [];
  const db = {
    transaction: () => ({
      execute: async (work: (tx: unknown) => Promise<unknown>) => {
        await work({});
        throw error;
      },
    }),
  };
  const bus = {
    deliver: (all: readonly Signal[]) => signals.push(...all),
    deliverAccess() {},
    deliverChanges() {},
    announce: async () => {},
  };
  const { write } = createTransactions({
    ...{ db: db as unknown as Db, bus: bus as unknown as Bus, postgres },
    recordEvents: async () => [],
    eventsWritten() {},
  });
  return { signals, write };
}

it.each([
  ['SQLite could not sync', 'EIO', false],
  ['PostgreSQL did not confirm', 'ECONNRESET', true],
])('signals what a commit that %s may have changed', async (_what, code, postgres) => {
  const error = Object.assign(new Error('failed'), { code });
  const { signals, write } = failing(error, postgres);
  await expect(write(async ({ add }) => add({ signals: [SIGNAL] }))).rejects.toBe(error);
  expect(signals).toEqual([SIGNAL]);
});

it('signals nothing of what PostgreSQL has refused', async () => {
  const { signals, write } = failing(Object.assign(new Error('no'), { code: '23505' }), true);
  await expect(write(async ({ add }) => add({ signals: [SIGNAL] }))).rejects.toThrow('no');
  expect(signals).toEqual([]);
});

it('begins no transaction that writes before the time is measured', async () => {
  const order: string[] = [];
  const db = {
    transaction: () => ({ execute: async () => void order.push('transaction') }),
  };
  const { write } = createTransactions({
    ...{
      db: db as unknown as Db,
      bus: { deliver() {}, deliverAccess() {}, deliverChanges() {} } as unknown as Bus,
    },
    postgres: true,
    recordEvents: async () => [],
    eventsWritten() {},
    measured: async () => void order.push('measured'),
  });
  await write(async () => {});
  expect(order).toEqual(['measured', 'transaction']);
});
