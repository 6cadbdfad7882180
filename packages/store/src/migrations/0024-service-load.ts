import { sql } from 'kysely';
import { createTable, type Migration } from './ddl.ts';

/** Stores the measurements of services with `autoscaling`, of the last minutes only. */
export const serviceLoad: Migration = {
  name: 'load of services',
  async up(c) {
    await sql
      .raw(`alter table runs add column autoscaling ${c.postgres ? 'json' : 'text'}`)
      .execute(c.db);
    await createTable(
      c,
      'service_load',
      {
        run_id: 'text! => runs',
        slot: 'big!',
        owner: 'text!',
        busy_ms: 'big!',
        latencies: 'text!',
      },
      ['run_id', 'slot', 'owner'],
    );
    await createTable(
      c,
      'service_queries',
      { run_id: 'text! => runs', key: 'text!', value: 'float', error: 'text', at: 'big!' },
      ['run_id', 'key'],
    );
  },
};
