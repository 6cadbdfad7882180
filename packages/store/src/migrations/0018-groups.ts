import { sql } from 'kysely';
import { createIndex, createTable, type Migration } from './ddl.ts';

/** Placement and compute groups in one table. The two tables before it have never been written to. */
export const groups: Migration = {
  name: 'groups',
  async up(c) {
    await sql`drop table placement_groups`.execute(c.db);
    await sql`drop table compute_groups`.execute(c.db);
    await createTable(c, 'provider_groups', {
      id: 'text!',
      project_id: 'text! -> projects',
      fleet_id: 'text! -> fleets',
      kind: 'text!',
      name: 'text!',
      backend: 'text',
      region: 'text!',
      status: 'text!',
      status_message: 'text',
      handle: 'json',
      offer: 'json',
      member_ids: 'json!',
      created_at: 'big!',
      status_changed_at: 'big!',
      next_pass_at: 'big',
      deleted: 'bool!',
      version: 'int!',
      lease_owner: 'text',
      lease_expires_at: 'big',
    });
    await createIndex(c, 'provider_groups', 'fleet_id', { where: 'not deleted' });
    await createIndex(c, 'provider_groups', 'next_pass_at', { where: 'next_pass_at is not null' });
    await sql.raw('alter table instances add column group_id text').execute(c.db);
  },
};
