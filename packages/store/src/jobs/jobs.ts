import { UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import { forIds } from '../base/query.ts';
import { together } from '../base/together.ts';
import { recordChange } from '../changes/record-change.ts';
import type { Db, StoreContext } from '../context/context.ts';
import { jobTable, probeTable, runTable } from '../schema/work-tables.ts';
import { placedJobs } from './placed-jobs.ts';
import type { Jobs, JobView } from './types.ts';

export function createJobs(context: StoreContext): Jobs {
  const { db } = context;
  return {
    byId: together(async (ids) => {
      const views = await jobViews(db, ids);
      return new Map(views.map((view) => [view.job.id, view]));
    }),
    async byIds(ids) {
      const rows = await forIds(ids, (slice) =>
        db.selectFrom('jobs').selectAll().where('id', 'in', slice).execute(),
      );
      return rows.map(jobTable.decode);
    },
    runOf: together(async (ids) => {
      const rows = await forIds(ids, (slice) =>
        db.selectFrom('jobs').select(['id', 'run_id']).where('id', 'in', slice).execute(),
      );
      return new Map(rows.map((row) => [row.id, row.run_id]));
    }),
    async ofRun(runId) {
      const rows = await db
        .selectFrom('jobs')
        .selectAll()
        .where('run_id', '=', runId)
        .orderBy('replica_num')
        .orderBy('job_num')
        .orderBy('submission_num')
        .execute();
      return rows.map(jobTable.decode);
    },
    async onInstances(instanceIds, limit) {
      const rows = await forIds(instanceIds, (slice) =>
        db
          .selectFrom('jobs')
          .select(['id', 'instance_id'])
          .where('instance_id', 'in', slice)
          .where('status', 'in', UNFINISHED_JOB_STATUSES)
          .orderBy('submitted_at')
          .orderBy('id')
          .limit(limit)
          .execute(),
      );
      return rows
        .slice(0, limit)
        .flatMap(({ id, instance_id: instanceId }) =>
          instanceId === null ? [] : [{ id, instanceId }],
        );
    },
    placed: (instanceIds, limit) => placedJobs(db, instanceIds, limit),
    async latest(runId, replicaNum, jobNum) {
      const row = await db
        .selectFrom('jobs')
        .selectAll()
        .where('run_id', '=', runId)
        .where('replica_num', '=', replicaNum)
        .where('job_num', '=', jobNum)
        .orderBy('submission_num', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row ? jobTable.decode(row) : null;
    },
    async onHost(hostId) {
      const rows = await unfinishedOnHost(db, hostId).selectAll('j').execute();
      return rows.map(jobTable.decode);
    },
    async viewsOnHost(hostId) {
      const rows = await unfinishedOnHost(db, hostId).select('j.id').execute();
      return jobViews(
        db,
        rows.map((row) => row.id),
      );
    },
    async hostsOf({ kind, id }) {
      const rows = await db
        .selectFrom('jobs as j')
        .innerJoin('runs as r', 'r.id', 'j.run_id')
        .innerJoin('instances as i', 'i.id', 'j.instance_id')
        .select('i.host_id')
        .distinct()
        .where(kind === 'user' ? 'r.user_id' : 'r.project_id', '=', id)
        .where('j.status', 'in', UNFINISHED_JOB_STATUSES)
        .where('i.host_id', 'is not', null)
        .execute();
      return rows.flatMap((row) => row.host_id ?? []);
    },
    async recentInFleet(fleetId, since, limit) {
      const rows = await db
        .selectFrom('jobs as j')
        .innerJoin('runs as r', 'r.id', 'j.run_id')
        .selectAll('j')
        .where('r.fleet_id', '=', fleetId)
        .where('r.submitted_at', '>=', since)
        .orderBy('j.submitted_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(jobTable.decode);
    },
    async running() {
      const rows = await db
        .selectFrom('jobs')
        .select('id')
        .where('status', 'in', UNFINISHED_JOB_STATUSES)
        .execute();
      return jobViews(
        db,
        rows.map((row) => row.id),
      );
    },
    ...createProbes(context),
  };
}

async function jobViews(db: Db, ids: readonly string[]): Promise<JobView[]> {
  const jobs = await forIds(ids, (slice) =>
    db
      .selectFrom('jobs as j')
      .innerJoin('runs as r', 'r.id', 'j.run_id')
      .innerJoin('projects as p', 'p.id', 'r.project_id')
      .innerJoin('users as u', 'u.id', 'r.user_id')
      .selectAll('j')
      .select(['p.name as view_project_name', 'u.name as view_user_name'])
      .where('j.id', 'in', slice)
      .execute(),
  );
  const runRows = await forIds(
    jobs.map((row) => row.run_id),
    (slice) => db.selectFrom('runs').selectAll().where('id', 'in', slice).execute(),
  );
  const runs = new Map(runRows.map((row) => [row.id, runTable.decode(row)]));
  return jobs.flatMap((row) => {
    const run = runs.get(row.run_id);
    if (!run) return [];
    return [
      {
        job: jobTable.decode(row),
        run,
        projectName: row.view_project_name,
        userName: row.view_user_name,
      },
    ];
  });
}

function unfinishedOnHost(db: Db, hostId: string) {
  return db
    .selectFrom('jobs as j')
    .innerJoin('instances as i', 'i.id', 'j.instance_id')
    .where('i.host_id', '=', hostId)
    .where('j.status', 'in', UNFINISHED_JOB_STATUSES);
}

function createProbes(
  context: StoreContext,
): Pick<
  Jobs,
  'probes' | 'insertProbes' | 'dueProbes' | 'nextDueProbe' | 'saveProbe' | 'setLivenessFailures'
> {
  const { db } = context;
  return {
    async probes(jobIds) {
      const rows = await forIds(jobIds, (slice) =>
        db
          .selectFrom('probes')
          .selectAll()
          .where('job_id', 'in', slice)
          .orderBy('job_id')
          .orderBy('probe_num')
          .execute(),
      );
      return rows.map(probeTable.decode);
    },
    async insertProbes(probes) {
      if (probes.length === 0) return;
      await db
        .insertInto('probes')
        .values(probes.map(probeTable.insert))
        .onConflict((conflict) => conflict.columns(['job_id', 'probe_num']).doNothing())
        .execute();
    },
    async dueProbes(until, limit) {
      const rows = await db
        .selectFrom('probes')
        .selectAll()
        .where('due', '<=', until)
        .orderBy('due')
        .limit(limit)
        .execute();
      return rows.map(probeTable.decode);
    },
    async nextDueProbe() {
      const row = await db
        .selectFrom('probes')
        .select((eb) => eb.fn.min('due').as('due'))
        .where('due', 'is not', null)
        .executeTakeFirst();
      return row?.due ?? null;
    },
    setLivenessFailures: (jobId, failures, extras) =>
      context.write(async ({ tx, add }) => {
        add(extras);
        await tx
          .insertInto('job_liveness')
          .values({ job_id: jobId, failures })
          .onConflict((conflict) => conflict.column('job_id').doUpdateSet({ failures }))
          .execute();
      }),
    saveProbe: ({ id, jobId, successStreak, due }, extras) =>
      context.write(async ({ tx, add, changed }) => {
        add(extras);
        // Most results confirm the one before, and need no signal.
        if (extras?.signals?.length) changed(recordChange('job', jobId));
        await tx
          .updateTable('probes')
          .set(probeTable.update({ successStreak, due }))
          .where('id', '=', id)
          .execute();
      }),
  };
}
