import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** Why jobs have to leave their instances. Older servers drain none, and retry by the reason of an end only. */
export const notices: Migration = {
  name: 'notices to jobs',
  isAdditive: true,
  async up({ db, postgres }) {
    const type = sql.raw(postgres ? 'json' : 'text');
    await sql`alter table jobs add column notice ${type}`.execute(db);
  },
};
