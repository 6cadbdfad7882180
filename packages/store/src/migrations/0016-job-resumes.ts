import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** How often a job was interrupted before: rows of earlier submissions are deleted some day. */
export const jobResumes: Migration = {
  name: 'resumes of interrupted jobs',
  async up({ db }) {
    await sql`alter table jobs add column resume_count integer not null default 0`.execute(db);
  },
};
