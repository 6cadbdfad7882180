import { sql } from 'kysely';
import type { Migration } from './ddl.ts';

/** How long a project keeps events and metrics, and up to which ended job its metrics are deleted. */
export const ownRetentionPeriods: Migration = {
  name: 'project retention',
  isAdditive: true,
  async up(c) {
    for (const column of [
      'events_seconds bigint',
      'metrics_seconds bigint',
      'metrics_finished_at bigint not null default 0',
      "metrics_job_id text not null default ''",
    ]) {
      await sql.raw(`alter table project_retention add column ${column}`).execute(c.db);
    }
  },
};
