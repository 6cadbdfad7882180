/** The time by which usage is forgotten. */
import { SECOND, type Timestamp } from '@dstack/core';
import { type RawBuilder, sql } from 'kysely';
import { DATABASE_NOW } from '../base/database-clock.ts';
import type { StoreContext, Tx } from '../context/context.ts';

/** By which clock usage is counted, and how fast it is forgotten. */
export interface ShareClock extends Pick<StoreContext, 'postgres' | 'shareHalfLife'> {
  /** The time of this server, for a database that no other server uses. */
  readonly now: number;
}

/** The key of `server_meta`. */
const KEY = 'share-time';

interface KeptTime {
  /** The last time of the server at which the other one was stored. */
  readonly wall: Timestamp;
  readonly share: Timestamp;
}

/**
 * A server cannot see whether the time in which it was not there has passed, or its clock was set: at most this counts at
 * once. It is the same for all, so their order does not change.
 */
const LONGEST_STEP = 86_400 * SECOND;

/** While a server works, the time is stored this often. */
const STORED_EVERY = 3600 * SECOND;

/**
 * Microseconds. With PostgreSQL, all servers have the clock of the database. Else a host's clock counts, whose steps forward
 * count in part, and those back not at all.
 */
export async function shareTime(
  tx: Tx,
  { postgres, now }: Pick<ShareClock, 'postgres' | 'now'>,
): Promise<RawBuilder<number>> {
  if (postgres) return DATABASE_NOW;
  return asTime(advanced(await readTime(tx), now).share);
}

/** The same, in a transaction that stores usage of this moment. */
export async function storeShareTime(
  tx: Tx,
  { postgres, now }: Pick<ShareClock, 'postgres' | 'now'>,
): Promise<RawBuilder<number>> {
  if (postgres) return DATABASE_NOW;
  const time = advanced(await readTime(tx), now);
  const value = JSON.stringify(time);
  await tx
    .insertInto('server_meta')
    .values({ key: KEY, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute();
  return asTime(time.share);
}

/** Time that passes without claims counts whole as long as a server works. */
export async function keepShareTime(context: StoreContext): Promise<void> {
  const { postgres, db } = context;
  if (postgres) return;
  const known = await readTime(db);
  const now = context.now();
  if (known === null || Math.abs(now - known.wall) < STORED_EVERY) return;
  await context.write(({ tx }) => storeShareTime(tx, { postgres, now }));
}

async function readTime(tx: Pick<Tx, 'selectFrom'>): Promise<KeptTime | null> {
  const row = await tx
    .selectFrom('server_meta')
    .select('value')
    .where('key', '=', KEY)
    .executeTakeFirst();
  return row ? (JSON.parse(row.value) as KeptTime) : null;
}

function advanced(known: KeptTime | null, now: Timestamp): KeptTime {
  if (known === null) return { wall: now, share: now };
  const passed = Math.min(Math.max(0, now - known.wall), LONGEST_STEP);
  return { wall: now, share: known.share + passed };
}

const asTime = (time: Timestamp): RawBuilder<number> => sql<number>`cast(${time} as bigint)`;
