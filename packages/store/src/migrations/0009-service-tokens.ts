import { sql } from 'kysely';
import { createIndex, createTable, type Migration } from './ddl.ts';

/** No version ever wrote to the first form of the table. */
export const serviceTokens: Migration = {
  name: 'service tokens of projects',
  async up(c) {
    await sql`drop table service_tokens`.execute(c.db);
    await createTable(c, 'service_tokens', {
      id: 'text!',
      project_id: 'text! -> projects',
      name: 'text!',
      scope: 'text!',
      token_hash: 'text!',
      created_by: 'text! -> users',
      created_at: 'big!',
      expires_at: 'big',
      last_used_at: 'big',
    });
    await createIndex(c, 'service_tokens', 'project_id, name', { unique: true });
    await createIndex(c, 'service_tokens', 'token_hash', { unique: true });
  },
};
