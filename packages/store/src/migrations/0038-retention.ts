import { sql } from 'kysely';
import { createIndex, createTable, type Migration } from './ddl.ts';

/**
 * Adds the tables and columns of retention, and the indexes by which it finds due rows. Servers of an older
 * version neither read nor write any of it.
 */
export const retention: Migration = {
  name: 'retention',
  isAdditive: true,
  async up(c) {
    await createTable(
      c,
      'project_retention',
      {
        project_id: 'text! => projects',
        runs_seconds: 'big',
        logs_seconds: 'big',
        logs_finished_at: 'big!',
        logs_job_id: 'text!',
      },
      ['project_id'],
    );
    // No references: the row that used the log or blob is deleted in the transaction that writes this.
    await createTable(
      c,
      'pending_deletions',
      { kind: 'text!', key: 'text!', project: 'text!', run: 'text!', due_at: 'big!' },
      ['kind', 'key'],
    );
    await createIndex(c, 'pending_deletions', 'kind, due_at');
    await createTable(c, 'upload_uses', { run_id: 'text! => runs', upload: 'text!' }, [
      'run_id',
      'upload',
    ]);
    await createIndex(c, 'upload_uses', 'upload');
    await createTable(
      c,
      'job_metrics_means',
      {
        job_id: 'text! => jobs',
        timestamp_micro: 'big!',
        seconds: 'int!',
        points: 'int!',
        cpu_usage_micro: 'big!',
        memory_usage_bytes: 'big!',
        memory_working_set_bytes: 'big!',
        gpus: 'json!',
      },
      ['job_id', 'timestamp_micro'],
    );
    await createIndex(c, 'job_metrics_means', 'seconds, timestamp_micro');
    for (const column of [
      'runs add column noted_deployment integer not null default -1',
      'fleets add column deletion_seen_at bigint',
      'codes add column used_at bigint',
      'file_archives add column used_at bigint',
      'blobs add column stored_at bigint',
    ]) {
      await sql.raw(`alter table ${column}`).execute(c.db);
    }
    await createIndex(c, 'runs', 'project_id, last_processed_at, id', {
      where: "status in ('done', 'failed', 'terminated')",
      name: 'runs_ended',
    });
    await createIndex(c, 'runs', 'id', {
      where: 'noted_deployment < deployment_num',
      name: 'runs_unnoted',
    });
    await createIndex(c, 'instances', 'deleted_at', {
      where: 'deleted',
      name: 'instances_deleted',
    });
    await createIndex(c, 'instances', 'fleet_id', { name: 'instances_of_fleets' });
    await createIndex(c, 'provider_groups', 'fleet_id', { name: 'groups_of_fleets' });
    await createIndex(c, 'fleets', 'deletion_seen_at', {
      where: 'deleted',
      name: 'fleets_deleted',
    });
    await createIndex(c, 'codes', 'sha256');
    await createIndex(c, 'codes', 'coalesce(used_at, created_at)', { name: 'codes_used' });
    await createIndex(c, 'file_archives', 'sha256');
    await createIndex(c, 'file_archives', 'coalesce(used_at, created_at)', {
      name: 'archives_used',
    });
    await createIndex(c, 'service_token_usage', 'day');
    await createIndex(c, 'model_usage', 'day', { name: 'model_usage_days' });
  },
};
