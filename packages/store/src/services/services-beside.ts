import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Id } from '@dstack/core';
import { notDeleted } from '../base/query.ts';
import type { Db } from '../context/context.ts';
import { runTable } from '../schema/work-tables.ts';
import type { ServiceBeside } from './types.ts';

/** The unfinished services behind a gateway, oldest first: only what names them, as there may be thousands. */
export async function servicesBeside(db: Db, gatewayId: Id): Promise<ServiceBeside[]> {
  const rows = await db
    .selectFrom('runs as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .select(['r.name', 'r.service_spec', 'p.name as project_name'])
    .where('r.gateway_id', '=', gatewayId)
    .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
    .where(notDeleted('r.deleted'))
    .orderBy('r.submitted_at')
    .execute();
  return rows.map(({ project_name: projectName, ...row }) => {
    const { name, serviceSpec } = runTable.decode(row);
    return { projectName, run: { name, serviceSpec } };
  });
}
