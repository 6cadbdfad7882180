import { sql } from 'kysely';
import { createTable, type Migration } from './ddl.ts';

/**
 * The handles by which backends find their instances, the last reports of backends, and the access
 * to agents that are not on SSH hosts. The backends of existing instances find these by their own
 * ids.
 */
export const instanceHandles: Migration = {
  name: 'handles and observations of instances',
  async up(c) {
    const json = c.postgres ? 'json' : 'text';
    const bool = c.postgres ? 'boolean not null default false' : 'integer not null default 0';
    await sql.raw(`alter table instances add column handle ${json}`).execute(c.db);
    await sql.raw(`alter table hosts add column failed ${bool}`).execute(c.db);
    const handle = `'{"id":"' || id || '","data":null}'`;
    await sql
      .raw(
        `update instances set handle = ${c.postgres ? `(${handle})::json` : handle}
          where provisioning_data is not null`,
      )
      .execute(c.db);
    // Hosts that were being added are taken over again by `instance.create`.
    await sql`delete from intents where kind = 'host.deploy'`.execute(c.db);
    await sql`alter table ssh_hosts rename to host_access`.execute(c.db);
    await createTable(
      c,
      'observations',
      {
        instance_id: 'text! => instances',
        observation: 'json!',
        since: 'big!',
        checked_at: 'big!',
        error: 'text',
        next_pass_at: 'big',
      },
      ['instance_id'],
    );
  },
};
