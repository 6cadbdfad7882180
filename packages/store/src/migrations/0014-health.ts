import { sql } from 'kysely';
import { createTable, type Migration } from './ddl.ts';

/** Stores the reports of agents about the health of their hosts, and the resulting health of an instance. */
export const health: Migration = {
  name: 'health of hosts',
  async up(c) {
    await createTable(
      c,
      'host_health',
      { host_id: 'text! => hosts', checks: 'json!', since: 'big!', reported_at: 'big!' },
      ['host_id'],
    );
    await sql`alter table instances add column health_message text`.execute(c.db);
  },
};
