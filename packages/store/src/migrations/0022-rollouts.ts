import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** How far the last update of a service has come, and the version to return to. */
export const rollouts: Migration = {
  name: 'rollouts of services',
  async up({ db, postgres }) {
    await sql.raw(`alter table runs add column rollout ${postgres ? 'json' : 'text'}`).execute(db);
  },
};
