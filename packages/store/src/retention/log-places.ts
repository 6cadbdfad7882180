import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import { forIds } from '../base/query.ts';
import type { Db, Tx } from '../context/context.ts';

/** The name under which the logs of a project are stored: a deleted project is renamed. */
export async function projectFolder(db: Db | Tx, projectId: Id): Promise<string> {
  const row = await db
    .selectFrom('projects')
    .select(sql<string>`coalesce(original_name, name)`.as('name'))
    .where('id', '=', projectId)
    .executeTakeFirst();
  return row?.name ?? '';
}

/**
 * The logs of these jobs, of all jobs of these runs, or of all members of these arrays will be deleted. Goes along with the write
 * after which nothing else leads to them.
 */
export async function requestLogDeletion(
  tx: Tx,
  of: 'id' | 'run_id' | 'array_id',
  ids: readonly Id[],
  now: number,
): Promise<void> {
  await forIds(ids, async (slice) => {
    await tx
      .insertInto('pending_deletions')
      .columns(['kind', 'key', 'project', 'run', 'due_at'])
      .expression((eb) =>
        eb
          .selectFrom('jobs as j')
          .innerJoin('runs as r', 'r.id', 'j.run_id')
          .innerJoin('projects as p', 'p.id', 'r.project_id')
          .select([
            sql.lit('log').as('kind'),
            'j.id as key',
            sql<string>`coalesce(p.original_name, p.name)`.as('project'),
            'r.name as run',
            sql<number>`cast(${now} as bigint)`.as('due_at'),
          ])
          .where(of === 'array_id' ? 'r.array_id' : `j.${of}`, 'in', slice)
          // A job without a machine has written nothing.
          .where('j.provisioned_at', 'is not', null),
      )
      .onConflict((conflict) => conflict.columns(['kind', 'key']).doNothing())
      .execute();
    return [];
  });
}
