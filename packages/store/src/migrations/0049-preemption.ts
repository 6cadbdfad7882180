import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** Which jobs have to leave for others, and which wait for that. Older servers give them no notice. */
export const preemption: Migration = {
  name: 'requests to leave',
  isAdditive: true,
  async up(c) {
    const type = sql.raw(c.postgres ? 'json' : 'text');
    for (const column of ['eviction', 'reclaim']) {
      await sql`alter table jobs add column ${sql.raw(column)} ${type}`.execute(c.db);
    }
  },
};
