import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** The addresses of SSH hosts that are added from now on. A server of an older version shows none until they are set up. */
export const addresses: Migration = {
  name: 'addresses',
  isAdditive: true,
  async up(c) {
    await sql`alter table instances add column address text`.execute(c.db);
  },
};
