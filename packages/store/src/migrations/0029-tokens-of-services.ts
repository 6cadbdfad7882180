import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** Service tokens for some services of a project. */
export const tokensOfServices: Migration = {
  name: 'service tokens for services',
  async up(c) {
    const json = c.postgres ? 'json' : 'text';
    await sql.raw(`alter table service_tokens add column services ${json}`).execute(c.db);
  },
};
