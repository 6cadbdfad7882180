import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { JobRecord } from '@dstack/core';
import { sql } from 'kysely';
import type { Db, StoreContext } from '../context.ts';
import { forIds, groupBy, notDeleted } from '../query.ts';
import { jobTable, runTable } from '../schema/work-tables.ts';
import { createRequests } from './requests.ts';
import type { ServiceReplica, Services, ServiceView } from './types.ts';

export function createServices(context: StoreContext): Services {
  const { db } = context;
  return {
    async byName(projectName, runName) {
      const rows = await runsServedHere(db)
        .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
        .where(sql<string>`lower(p.name)`, '=', projectName.toLowerCase())
        .where('r.name', '=', runName)
        .execute();
      return (await toViews(db, rows))[0] ?? null;
    },
    async withModels(projectId, which) {
      const isFinished = which === 'finished';
      const rows = await runsServedHere(db)
        .where('r.project_id', '=', projectId)
        .where('r.status', isFinished ? 'not in' : 'in', UNFINISHED_RUN_STATUSES)
        .orderBy('r.submitted_at', 'desc')
        .$if(isFinished, (query) => query.limit(MAX_FINISHED))
        .execute();
      const views = await toViews(db, rows);
      return views.filter(({ run }) => run.serviceSpec?.model != null);
    },
    ...createRequests(context),
  };
}

/** The most finished services that are read, for clear answers to requests after their end. */
const MAX_FINISHED = 100;

/** Services without a gateway: gateways serve the others. */
function runsServedHere(db: Db) {
  return db
    .selectFrom('runs as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .selectAll('r')
    .select('p.name as project_name')
    .where('r.service_spec', 'is not', null)
    .where('r.gateway_id', 'is', null)
    .where(notDeleted('r.deleted'))
    .where(notDeleted('p.deleted'));
}

async function toViews(
  db: Db,
  rows: readonly { readonly id: string; readonly project_name: string }[],
): Promise<ServiceView[]> {
  const jobRows = await forIds(
    rows.map((row) => row.id),
    (slice) =>
      db
        .selectFrom('jobs as j')
        .innerJoin('instances as i', 'i.id', 'j.instance_id')
        .selectAll('j')
        .select('i.host_id as view_host_id')
        .where('j.run_id', 'in', slice)
        .where('j.status', '=', 'running')
        .where('j.registered', '=', sql<boolean>`true`)
        .where('j.job_num', '=', 0)
        .orderBy('j.replica_num')
        .execute(),
  );
  const ofRun = groupBy(jobRows, (row) => row.run_id);
  return rows.map((row) => ({
    run: runTable.decode(row),
    projectName: row.project_name,
    replicas: (ofRun.get(row.id) ?? []).flatMap((job) =>
      replica(jobTable.decode(job), job.view_host_id),
    ),
  }));
}

function replica(job: JobRecord, hostId: string | null): ServiceReplica[] {
  const port = job.spec.service_port ?? null;
  if (port === null || hostId === null) return [];
  return [{ jobId: job.id, hostId, port, runningAt: job.runningAt ?? job.statusChangedAt }];
}
