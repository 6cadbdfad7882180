import { UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import { sql } from 'kysely';
import { createIndex, type Migration, type MigrationContext } from './ddl.ts';

/**
 * The capacity that the first waiting gang of a fleet has reserved, and the `max_duration` of jobs apart from their
 * specs: by it placement knows when instances become free. Jobs of servers of an older version have
 * none, so their end is not known.
 */
export const reservations: Migration = {
  name: 'reservations of waiting gangs',
  isAdditive: true,
  async up(c) {
    const json = c.postgres ? 'json' : 'text';
    for (const column of ['reserved', 'time_limit']) {
      await sql.raw(`alter table jobs add column ${column} ${json}`).execute(c.db);
    }
    await fillLimits(c);
    // The last two columns are constant; they make SQLite prefer this index to those on status.
    await createIndex(c, 'jobs', 'project_id, status, instance_id', {
      where: "status = 'submitted' and instance_id is null and reserved is not null",
      name: 'jobs_reserved',
    });
    await createIndex(c, 'jobs', 'instance_id', {
      where: 'instance_id is not null and time_limit is not null',
      name: 'jobs_limited',
    });
  },
};

async function fillLimits({ db, postgres }: MigrationContext): Promise<void> {
  const statuses = UNFINISHED_JOB_STATUSES.map((status) => `'${status}'`).join(', ');
  const limit = postgres
    ? `json_build_object('seconds', (spec->>'max_duration')::bigint,
        'stopSeconds', (spec->>'stop_duration')::bigint)`
    : `json_object('seconds', spec->>'max_duration', 'stopSeconds', spec->>'stop_duration')`;
  await sql
    .raw(`update jobs set time_limit = ${limit}
      where status in (${statuses}) and (spec->>'max_duration') is not null`)
    .execute(db);
}
