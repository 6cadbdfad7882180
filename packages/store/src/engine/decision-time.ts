import { SECOND, type Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import { DATABASE_NOW } from '../base/database-clock.ts';
import type { StoreContext, Tx } from '../context/context.ts';

/**
 * Decisions are written within seconds, and a server that was away for longer has lost its leases (µs). Nothing in
 * the records need have changed meanwhile: a pass of another server may just have had nothing to do.
 */
const MOST = 9 * SECOND;

/** Whether a decision of this time is one of the present, by the clock that all servers of the database share. */
export async function isPresent(
  { postgres, now }: Pick<StoreContext, 'postgres' | 'now'>,
  tx: Tx,
  decidedAt: Timestamp,
): Promise<boolean> {
  return Math.abs((postgres ? await databaseTime(tx) : now()) - decidedAt) <= MOST;
}

async function databaseTime(tx: Tx): Promise<Timestamp> {
  const { rows } = await sql<{ time: number }>`select ${DATABASE_NOW} as time`.execute(tx);
  return Number(rows[0]?.time);
}
