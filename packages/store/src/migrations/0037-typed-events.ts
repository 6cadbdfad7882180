import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/**
 * Action, data and outcome of events, and how their actors made the request. Rows without an action, of
 * before or of an older server beside this one, have only their text.
 */
export const typedEvents: Migration = {
  name: 'typed events',
  isAdditive: true,
  async up(c) {
    const columns = [
      'action text',
      `data ${c.postgres ? 'json' : 'text'}`,
      'outcome text',
      'actor_token_id text',
      'actor_token_name text',
      'actor_address text',
    ];
    for (const column of columns) {
      await sql.raw(`alter table events add column ${column}`).execute(c.db);
    }
  },
};
