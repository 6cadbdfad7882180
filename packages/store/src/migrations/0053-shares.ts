import { sql } from 'kysely';
import { createIndex, createTable, type Migration } from './ddl.ts';

/**
 * The use of projects by users, for pools that are shared by weight, and the users of waiting jobs. Older servers count
 * nothing, and release claims without counting: what is used is counted anew when a server starts. Jobs that they write
 * have no user here, and wait as if they were of one.
 */
export const shares: Migration = {
  name: 'fair shares',
  isAdditive: true,
  async up(c) {
    await createTable(
      c,
      'shares',
      {
        project_id: 'text! => projects',
        user_id: 'text!',
        used: 'float!',
        rate: 'big!',
        settled_at: 'big!',
      },
      ['project_id', 'user_id'],
    );
    await sql`alter table jobs add column user_id text not null default ''`.execute(c.db);
    await sql`update jobs set user_id = (select user_id from runs where runs.id = jobs.run_id)
      where status = 'submitted' and instance_id is null`.execute(c.db);
    await createIndex(
      c,
      'jobs',
      'project_id, user_id, demand, priority desc, queued_at, run_id, replica_num',
      {
        where:
          "status = 'submitted' and instance_id is null and refusal is not null and job_num = 0",
        name: 'jobs_queued_by_user',
      },
    );
  },
};
