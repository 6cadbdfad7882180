import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Id } from '@dstack/core';
import { forIds, notDeleted } from '../base/query.ts';
import type { Db, Tx } from '../context/context.ts';
import type { ProjectUse } from './types.ts';

export async function projectsInUse(db: Db | Tx, ids: readonly Id[]): Promise<ProjectUse[]> {
  const rows = await forIds(ids, (slice) =>
    db
      .selectFrom('projects as p')
      .select((eb) => [
        'p.id as projectId',
        'p.name as projectName',
        eb
          .selectFrom('runs')
          .select(eb.fn.countAll<number>().as('n'))
          .whereRef('runs.project_id', '=', 'p.id')
          .where('runs.status', 'in', UNFINISHED_RUN_STATUSES)
          .as('activeRuns'),
        eb
          .selectFrom('fleets')
          .select(eb.fn.countAll<number>().as('n'))
          .whereRef('fleets.project_id', '=', 'p.id')
          .where(notDeleted('fleets.deleted'))
          .as('activeFleets'),
        eb
          .selectFrom('volumes')
          .select(eb.fn.countAll<number>().as('n'))
          .whereRef('volumes.project_id', '=', 'p.id')
          .where(notDeleted('volumes.deleted'))
          .as('activeVolumes'),
      ])
      .where('p.id', 'in', slice)
      .execute(),
  );
  return rows
    .map((row) => ({
      projectId: row.projectId,
      projectName: row.projectName,
      activeRuns: Number(row.activeRuns),
      activeFleets: Number(row.activeFleets),
      activeVolumes: Number(row.activeVolumes),
    }))
    .filter((use) => use.activeRuns + use.activeFleets + use.activeVolumes > 0);
}
