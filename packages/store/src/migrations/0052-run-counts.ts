import { createIndex, type Migration } from './ddl.ts';

/**
 * By which ended runs are counted piece by piece, without their rows. The condition is none that an index of `status` could
 * serve, or SQLite would take that one and sort all rows.
 */
export const runCounts: Migration = {
  name: 'counts of ended runs',
  isAdditive: true,
  async up(c) {
    await createIndex(c, 'runs', 'last_processed_at, project_id, user_id, status', {
      where: "coalesce(status, '') in ('done', 'failed', 'terminated')",
      name: 'runs_ended_counts',
    });
  },
};
