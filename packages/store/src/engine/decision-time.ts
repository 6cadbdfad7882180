import { SECOND, type Timestamp } from '@dstack/core';
import { sql } from 'kysely';
import { DATABASE_NOW } from '../base/database-clock.ts';
import type { StoreContext, Tx } from '../context/context.ts';

/**
 * The write of a decision begins within this time (µs): a server that was away for longer has lost its leases. Nothing in the
 * records need have changed meanwhile, since a pass of another server may just have had nothing to do.
 */
const BEGUN = 9 * SECOND;

/** It ends within this time, the limit of a single statement (µs): a slow database is no wrong clock. */
const ENDED = 60 * SECOND;

/**
 * Whether the write of a decision begins in time, by the clock of this server: after a sleep that it has noticed, by the
 * time that it reads then, since its own is as late as the decision.
 */
export async function beginsInTime(
  { measured, now }: Pick<StoreContext, 'measured' | 'now'>,
  decidedAt: Timestamp,
): Promise<boolean> {
  await measured();
  return Math.abs(now() - decidedAt) <= BEGUN;
}

/** Whether it ends in time, by the clock that all servers of the database share. */
export async function endsInTime(tx: Tx, decidedAt: Timestamp): Promise<boolean> {
  const { rows } = await sql<{ time: number }>`select ${DATABASE_NOW} as time`.execute(tx);
  return Math.abs(Number(rows[0]?.time) - decidedAt) <= ENDED;
}
