import { sql } from 'kysely';
import { createIndex, createTable, type Migration } from './ddl.ts';

/** Sweeps of backends for resources without a record, and leases of work without rows. */
export const sweep: Migration = {
  name: 'sweep',
  async up(c) {
    await createTable(
      c,
      'sweeps',
      {
        project_id: 'text! -> projects',
        backend: 'text!',
        swept_at: 'big',
        next_at: 'big!',
        failures: 'int!',
        error: 'text',
        nonces: 'json!',
        hindrance: 'text',
      },
      ['project_id', 'backend'],
    );
    await createTable(c, 'orphans', {
      id: 'text!',
      project_id: 'text! -> projects',
      backend: 'text!',
      kind: 'text!',
      handle: 'json!',
      region: 'text',
      owner: 'json!',
      key: 'text',
      first_seen_at: 'big!',
      last_seen_at: 'big!',
      reported_at: 'big',
      end_requested_at: 'big',
      error: 'text',
    });
    await createIndex(c, 'orphans', 'project_id, backend');
    const lease = { name: 'text!', lease_owner: 'text', lease_expires_at: 'big' } as const;
    await createTable(c, 'leases', lease, ['name']);
    await sql`insert into leases (name) values ('sweep')`.execute(c.db);
  },
};
