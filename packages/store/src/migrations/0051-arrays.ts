import { sql } from 'kysely';
import { createIndex, createTable, type Migration } from './ddl.ts';

/**
 * Arrays of runs. Older servers let no members be born, and run those that are there; what they change in
 * them is counted by the sweep of a newer server.
 */
export const arrays: Migration = {
  name: 'arrays of runs',
  isAdditive: true,
  async up(c) {
    await sql`alter table runs add column array_id text`.execute(c.db);
    await sql`alter table runs add column array_index integer`.execute(c.db);
    await sql`alter table runs add column array_since bigint`.execute(c.db);
    await sql`alter table runs add column array_seen integer`.execute(c.db);
    await sql`alter table runs add column counted_status text`.execute(c.db);
    await createTable(
      c,
      'run_arrays',
      {
        run_id: 'text! => runs',
        is_open: 'int!',
        total: 'int!',
        max_parallel: 'int!',
        max_failures: 'int!',
        next_position: 'int!',
        generation: 'int!',
        directive: 'json!',
        early: 'json!',
        pending: 'int!',
        submitted: 'int!',
        provisioning: 'int!',
        running: 'int!',
        terminating: 'int!',
        terminated: 'int!',
        failed: 'int!',
        done: 'int!',
      },
      ['run_id'],
    );
    await createIndex(c, 'run_arrays', 'run_id', { where: 'is_open = 1', name: 'run_arrays_open' });
    const members = { where: 'array_id is not null' };
    await createIndex(c, 'runs', 'array_id, status, array_index', {
      ...members,
      name: 'runs_members',
    });
    await createIndex(c, 'runs', 'array_id, submitted_at, id', {
      ...members,
      name: 'runs_listed_members',
    });
    await createIndex(c, 'runs', 'id', {
      where: 'array_id is not null and status <> counted_status',
      name: 'runs_uncounted',
    });
    // Lists of runs show no members, and should not walk through them.
    const listed = { where: 'array_id is null' };
    await createIndex(c, 'runs', 'project_id, submitted_at, id', {
      ...listed,
      name: 'runs_listed',
    });
    await createIndex(c, 'runs', 'user_id, submitted_at, id', {
      ...listed,
      name: 'runs_listed_by_user',
    });
    await createIndex(c, 'runs', 'submitted_at, id', { ...listed, name: 'runs_listed_by_time' });
    // With the column of its condition: SQLite would read it from the rows otherwise.
    await createIndex(c, 'runs', 'user_id, status, array_id', {
      ...listed,
      name: 'runs_counted_by_user',
    });
    await createIndex(c, 'runs', 'status, project_id, submitted_at, id', {
      ...listed,
      name: 'runs_listed_by_status',
    });
  },
};
