import type {
  CapacitySnapshot,
  FleetRecord,
  Gang,
  Id,
  JobRecord,
  PlacementSnapshot,
  RunRecord,
} from '@dstack/core';
import type { Tx } from '../context.ts';
import { instancesOfFleets } from '../instances/instances-of-fleets.ts';
import { JOB_KEY, jobsByKeys } from '../jobs/jobs-by-keys.ts';
import { forIds, groupBy, notDeleted } from '../query.ts';
import type { RecordCache } from '../record-cache.ts';
import { LIVE_RUN } from '../schema/statuses.ts';
import { fleetTable, runTable } from '../schema/work-tables.ts';
import { localUse } from './local-use.ts';

/** All that waits and all capacity, most of which is as it was when it was last looked at. */
export async function loadPlacement(
  tx: Tx,
  records: RecordCache,
  projectId: Id,
): Promise<PlacementSnapshot | null> {
  const project = await tx
    .selectFrom('projects')
    .select('name')
    .where('id', '=', projectId)
    .executeTakeFirst();
  if (!project) return null;
  return {
    projectId,
    projectName: project.name,
    gangs: await loadGangs(tx, records, projectId),
    waiting: await loadWaiting(tx, records, projectId),
    ...(await loadCapacity(tx, records, projectId)),
  };
}

export async function loadCapacity(
  tx: Tx,
  records: RecordCache,
  projectId: Id,
): Promise<CapacitySnapshot> {
  const fleets = await loadFleets(tx, records, projectId);
  return {
    fleets,
    instances: await instancesOfFleets(
      tx,
      records,
      fleets.map((fleet) => fleet.id),
    ),
    projectNames: await loadProjectNames(tx, [
      projectId,
      ...fleets.map((fleet) => fleet.projectId),
    ]),
    ...(await localUse(tx, records)),
  };
}

async function loadGangs(tx: Tx, records: RecordCache, projectId: Id): Promise<Gang[]> {
  const jobKeys = await tx
    .selectFrom('jobs')
    .select(JOB_KEY)
    .where('status', '=', 'submitted')
    .where('project_id', '=', projectId)
    .where('instance_id', 'is', null)
    .orderBy('job_num')
    .execute();
  const jobs = await jobsByKeys(tx, records, jobKeys);
  const runKeys = await forIds(
    jobs.map((job) => job.runId),
    (slice) =>
      tx
        .selectFrom('runs')
        .select(['id', 'version'])
        .where('id', 'in', slice)
        .where('status', 'in', LIVE_RUN)
        .execute(),
  );
  const found = await records.read(tx, runTable, runKeys);
  const runs = new Map(found.map((run) => [run.id, run]));
  const gangs: Gang[] = [];
  for (const members of groupBy(jobs, (job) => `${job.runId} ${job.replicaNum}`).values()) {
    const run = runs.get(members[0]?.runId ?? '');
    if (run) gangs.push({ run, jobs: members });
  }
  return gangs.sort((a, b) => byUrgency(a.run, b.run) || replica(a.jobs) - replica(b.jobs));
}

function replica(jobs: readonly JobRecord[]): number {
  return jobs[0]?.replicaNum ?? 0;
}

/** Highest priority first, then oldest; the id settles what is equal, so that passes agree. */
function byUrgency(a: RunRecord, b: RunRecord): number {
  return b.priority - a.priority || a.submittedAt - b.submittedAt || compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Pending because a try failed; a schedule's first firing and others are no matter of capacity. */
async function loadWaiting(tx: Tx, records: RecordCache, projectId: Id): Promise<RunRecord[]> {
  const keys = await tx
    .selectFrom('runs')
    .select(['id', 'version'])
    .where('status', '=', 'pending')
    .where('project_id', '=', projectId)
    .where('resubmission_attempt', '>', 0)
    .execute();
  return (await records.read(tx, runTable, keys)).sort(byUrgency);
}

async function loadFleets(tx: Tx, records: RecordCache, projectId: Id): Promise<FleetRecord[]> {
  const keys = await tx
    .selectFrom('fleets')
    .select(['id', 'version'])
    .where(notDeleted('deleted'))
    .where(({ or, eb }) =>
      or([
        eb('project_id', '=', projectId),
        eb(
          'id',
          'in',
          tx
            .selectFrom('imports as i')
            .innerJoin('exported_fleets as ef', 'ef.export_id', 'i.export_id')
            .select('ef.fleet_id')
            .where('i.project_id', '=', projectId),
        ),
      ]),
    )
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return records.read(tx, fleetTable, keys);
}

async function loadProjectNames(tx: Tx, ids: readonly Id[]): Promise<Record<Id, string>> {
  const rows = await forIds(ids, (slice) =>
    tx.selectFrom('projects').select(['id', 'name']).where('id', 'in', slice).execute(),
  );
  return Object.fromEntries(rows.map((row) => [row.id, row.name]));
}
