import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** Which runs are held, and since when they may be in the queue. Older servers place held runs all the same. */
export const holds: Migration = {
  name: 'held runs',
  isAdditive: true,
  async up({ db, postgres }) {
    const type = sql.raw(postgres ? 'json' : 'text');
    await sql`alter table runs add column hold ${type}`.execute(db);
    await sql`alter table runs add column eligible_at bigint`.execute(db);
  },
};
