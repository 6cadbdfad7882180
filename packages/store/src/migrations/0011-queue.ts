import { sql } from 'kysely';
import { createIndex, type Migration, type MigrationContext } from './ddl.ts';

/**
 * The state of a job that waits for capacity: why it has no place, since when, its demand class and
 * its priority. The two indexes are the queue: jobs that no placement pass has examined yet, and the
 * first jobs of each demand class.
 */
export const queue: Migration = {
  name: 'queue of jobs without a place',
  async up(c) {
    const json = c.postgres ? 'json' : 'text';
    await addColumn(c, `refusal ${json}`);
    await addColumn(c, 'waiting_since bigint');
    await addColumn(c, 'demand text');
    await addColumn(c, 'priority integer not null default 0');
    await addColumn(c, 'queued_at bigint not null default 0');
    await addColumn(c, 'attempt integer not null default 0');
    await sql`update jobs set
      priority = (select priority from runs where runs.id = jobs.run_id),
      queued_at = (select submitted_at from runs where runs.id = jobs.run_id)`.execute(c.db);
    const unplaced = "status = 'submitted' and instance_id is null";
    // The last two columns are constant; they make SQLite prefer this index to those on status.
    await createIndex(c, 'jobs', 'project_id, status, instance_id', {
      where: `${unplaced} and refusal is null`,
      name: 'jobs_unseen',
    });
    await createIndex(
      c,
      'jobs',
      'project_id, demand, priority desc, queued_at, run_id, replica_num',
      { where: `${unplaced} and refusal is not null and job_num = 0`, name: 'jobs_queued' },
    );
  },
};

async function addColumn(c: MigrationContext, column: string): Promise<void> {
  await sql.raw(`alter table jobs add column ${column}`).execute(c.db);
}
