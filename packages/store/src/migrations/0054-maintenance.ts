import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** The window of maintenance that the jobs of a fleet were notified of. Older servers place jobs in windows all the same. */
export const maintenance: Migration = {
  name: 'maintenance windows of fleets',
  isAdditive: true,
  async up({ db, postgres }) {
    const type = sql.raw(postgres ? 'json' : 'text');
    await sql`alter table fleets add column maintenance ${type}`.execute(db);
  },
};
