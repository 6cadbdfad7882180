import { sql } from 'kysely';
import { createIndex, createTable, type Migration } from './ddl.ts';

/**
 * Which runs wait for others. Older servers start such runs at once; the ends of runs that they
 * write are found by the sweep of newer ones.
 */
export const dependencies: Migration = {
  name: 'dependencies of runs',
  isAdditive: true,
  async up(c) {
    await sql`alter table runs add column dependency_state text`.execute(c.db);
    await sql`alter table runs add column last_outcome text`.execute(c.db);
    await createTable(
      c,
      'run_dependencies',
      {
        run_id: 'text! => runs',
        position: 'int!',
        upstream_id: 'text!',
        name: 'text!',
        condition: 'text!',
        keep: 'bool!',
        outcome: 'text',
      },
      ['run_id', 'position'],
    );
    await createIndex(c, 'run_dependencies', 'upstream_id', {
      where: 'outcome is null',
      name: 'run_dependencies_open',
    });
  },
};
