import { sql } from 'kysely';
import { createIndex, createTable, type Migration } from './ddl.ts';

/**
 * The amounts that projects and users may use, and those that jobs use. Older servers charge nothing, and release claims
 * without their charge: use is counted anew when a server starts and when a quota is set.
 */
export const quotas: Migration = {
  name: 'quotas',
  isAdditive: true,
  async up(c) {
    await createTable(c, 'quotas', {
      id: 'text!',
      project_id: 'text! -> projects',
      fleet_id: 'text',
      user_id: 'text',
      guaranteed: 'json',
      limits: 'json',
      weight: 'int',
    });
    await createIndex(c, 'quotas', 'project_id');
    await createTable(
      c,
      'quota_uses',
      { quota_id: 'text! => quotas', user_id: 'text!', resource: 'text!', used: 'big!' },
      ['quota_id', 'user_id', 'resource'],
    );
    const type = sql.raw(c.postgres ? 'json' : 'text');
    await sql`alter table jobs add column charge ${type}`.execute(c.db);
  },
};
