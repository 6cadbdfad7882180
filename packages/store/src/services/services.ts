import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Id, JobRecord } from '@dstack/core';
import { sql } from 'kysely';
import { forIds, groupBy, notDeleted } from '../base/query.ts';
import type { Db, StoreContext } from '../context/context.ts';
import { jobTable, runTable } from '../schema/work-tables.ts';
import { createLoad } from './load.ts';
import { createRateBuckets } from './rate-buckets.ts';
import { createRequests } from './requests.ts';
import { servicesBeside } from './services-beside.ts';
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
    async byRun(runId) {
      const rows = await runsServedHere(db)
        .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
        .where('r.id', '=', runId)
        .execute();
      return (await toViews(db, rows))[0] ?? null;
    },
    async isService(runId) {
      const row = await db
        .selectFrom('runs')
        .select('id')
        .where('id', '=', runId)
        .where('service_spec', 'is not', null)
        .executeTakeFirst();
      return row !== undefined;
    },
    async byIdPrefix(prefix) {
      const rows = await db
        .selectFrom('runs as r')
        .innerJoin('projects as p', 'p.id', 'r.project_id')
        .select(['r.id', 'r.name', 'p.name as project_name'])
        .where('r.id', 'like', `${prefix.replaceAll(/[^0-9a-f-]/g, '')}%`)
        .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
        .where('r.gateway_id', 'is', null)
        .where('r.service_spec', 'is not', null)
        .where(notDeleted('r.deleted'))
        .where(notDeleted('p.deleted'))
        .execute();
      return rows.map((row) => ({
        ...{ runId: row.id, runName: row.name },
        projectName: row.project_name,
      }));
    },
    async behindGateway(gatewayId) {
      const rows = await servedRuns(db)
        .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
        .where('r.gateway_id', '=', gatewayId)
        .orderBy('r.submitted_at')
        .execute();
      return await toViews(db, rows);
    },
    namesBehindGateway: (gatewayId) => servicesBeside(db, gatewayId),
    async onGateway(runId) {
      const rows = await servedRuns(db)
        .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
        .where('r.gateway_id', 'is not', null)
        .where('r.id', '=', runId)
        .execute();
      return (await toViews(db, rows))[0] ?? null;
    },
    async readyReplicas(runIds) {
      const rows = await forIds(runIds, (slice) =>
        servedRuns(db)
          .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
          .where('r.id', 'in', slice)
          .execute(),
      );
      const views = await toViews(db, rows);
      return new Map(views.map(({ run, replicas }) => [run.id, replicas]));
    },
    async modelsBehindGateway(gatewayId) {
      const rows = await db
        .selectFrom('runs as r')
        .innerJoin('projects as p', 'p.id', 'r.project_id')
        .selectAll('r')
        .select('p.name as project_name')
        .where('r.gateway_id', '=', gatewayId)
        .where('r.service_spec', 'is not', null)
        .orderBy('r.submitted_at', 'desc')
        .limit(MAX_ENDED)
        .execute();
      return rows.flatMap((row) => {
        const model = runTable.decode(row).serviceSpec?.model?.name;
        return model === undefined ? [] : [{ projectName: row.project_name, model }];
      });
    },

    async unfinished() {
      const rows = await runsServedHere(db)
        .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
        .execute();
      return await toViews(db, rows);
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
    ...createLoad(context),
    ...createRateBuckets(context),
  };
}

/** The most finished services that are read, for clear answers to requests after their end. */
const MAX_FINISHED = 100;

/** The most services behind a gateway whose models are known after their end. */
const MAX_ENDED = 2000;

/** Services without a gateway: gateways serve the others. */
function runsServedHere(db: Db) {
  return servedRuns(db).where('r.gateway_id', 'is', null);
}

function servedRuns(db: Db) {
  return db
    .selectFrom('runs as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .selectAll('r')
    .select('p.name as project_name')
    .where('r.service_spec', 'is not', null)
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
  const jobs = jobRows.map((row) => ({ job: jobTable.decode(row), hostId: row.view_host_id }));
  const failing = await failingJobs(
    db,
    jobs.map(({ job }) => job),
  );
  const ofRun = groupBy(jobs, ({ job }) => job.runId);
  return rows.map((row) => ({
    run: runTable.decode(row),
    projectName: row.project_name,
    replicas: (ofRun.get(row.id) ?? []).flatMap(({ job, hostId }) =>
      replica(job, hostId, failing.has(job.id)),
    ),
  }));
}

/** Jobs with a probe that has not succeeded often enough in a row since its last failure. */
async function failingJobs(db: Db, jobs: readonly JobRecord[]): Promise<ReadonlySet<Id>> {
  const probesOf = new Map(jobs.map((job) => [job.id, job.spec.probes ?? []]));
  const probed = [...probesOf].flatMap(([id, probes]) => (probes.length > 0 ? [id] : []));
  const rows = await forIds(probed, (slice) =>
    db
      .selectFrom('probes')
      .select(['job_id', 'probe_num', 'success_streak'])
      .where('job_id', 'in', slice)
      .execute(),
  );
  const failed = rows.filter((row) => {
    const probe = probesOf.get(row.job_id)?.[row.probe_num];
    return probe !== undefined && row.success_streak < probe.ready_after;
  });
  return new Set(failed.map((row) => row.job_id));
}

function replica(job: JobRecord, hostId: string | null, isFailing: boolean): ServiceReplica[] {
  const port = job.spec.service_port ?? null;
  if (port === null || hostId === null) return [];
  const runningAt = job.runningAt ?? job.statusChangedAt;
  return [{ jobId: job.id, hostId, port, runningAt, isFailing }];
}
