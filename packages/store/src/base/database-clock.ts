import { sql } from 'kysely';

/** Microseconds by the database's clock, because the clocks of several servers differ. */
export const DATABASE_NOW = sql<number>`(extract(epoch from clock_timestamp()) * 1000000)::bigint`;
