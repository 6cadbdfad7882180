import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** Which instances get no new jobs by request of a person. Older servers place jobs there all the same. */
export const scheduling: Migration = {
  name: 'cordoned instances',
  isAdditive: true,
  async up({ db, postgres }) {
    const type = sql.raw(postgres ? 'json' : 'text');
    await sql`alter table instances add column scheduling ${type}`.execute(db);
  },
};
