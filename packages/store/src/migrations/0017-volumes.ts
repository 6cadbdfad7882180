import { sql } from 'kysely';
import { createIndex, createTable, type Migration } from './ddl.ts';

/**
 * Volumes, their observations and attachments, and the jobs that mount them. Earlier versions
 * attached nothing, so the table of attachments is empty.
 */
export const volumes: Migration = {
  name: 'handles and observations of volumes',
  async up(c) {
    const json = c.postgres ? 'json' : 'text';
    const bool = c.postgres ? 'boolean not null default false' : 'integer not null default 0';
    for (const column of [
      `handle ${json}`,
      'fleet_id text',
      'host_id text',
      `shared ${bool}`,
      'status_changed_at bigint not null default 0',
    ]) {
      await sql.raw(`alter table volumes add column ${column}`).execute(c.db);
    }
    await sql`update volumes set status_changed_at = created_at`.execute(c.db);
    await createIndex(c, 'volumes', 'fleet_id', { where: 'fleet_id is not null' });

    await sql`drop table volume_attachments`.execute(c.db);
    await createTable(c, 'volume_attachments', {
      id: 'text!',
      volume_id: 'text! => volumes',
      instance_id: 'text! => instances',
      status: 'text!',
      status_changed_at: 'big!',
      error: 'text',
      attachment_data: 'json',
      version: 'int!',
    });
    await createIndex(c, 'volume_attachments', 'volume_id, instance_id', {
      unique: true,
      name: 'attachments_of_volumes',
    });
    await createIndex(c, 'volume_attachments', 'instance_id', { name: 'attachments_of_instances' });

    await createTable(
      c,
      'volume_uses',
      {
        volume_id: 'text! => volumes',
        job_id: 'text! => jobs',
        mount_num: 'int!',
        released_at: 'big',
      },
      ['job_id', 'volume_id'],
    );
    await createIndex(c, 'volume_uses', 'volume_id');

    await createTable(
      c,
      'volume_observations',
      {
        volume_id: 'text! => volumes',
        observation: 'json!',
        since: 'big!',
        checked_at: 'big!',
        error: 'text',
        next_pass_at: 'big',
      },
      ['volume_id'],
    );
  },
};
