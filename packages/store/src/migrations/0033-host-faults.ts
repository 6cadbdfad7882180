import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** Failures of hosts, apart from those of jobs. Older servers retry by the reason of the end only. */
export const hostFaults: Migration = {
  name: 'faults of hosts',
  isAdditive: true,
  async up({ db, postgres }) {
    await sql`alter table jobs add column host_fault text`.execute(db);
    const type = sql.raw(postgres ? 'json' : 'text');
    await sql`alter table instances add column host_trouble ${type}`.execute(db);
  },
};
