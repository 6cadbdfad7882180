/** Intervals that are being paid for now, from the records of jobs and instances. */
import {
  type Id,
  instanceInterval,
  jobInterval,
  type PricedInstance,
  type PricedInterval,
  type RunRecord,
  type Timestamp,
} from '@dstack/core';
import { sql } from 'kysely';
import { forIds, notDeleted } from '../base/query.ts';
import type { Db, Tx } from '../context/context.ts';
import { instanceTable } from '../schema/work-tables.ts';

export interface OpenIntervals {
  readonly jobs: readonly PricedInterval[];
  /** Only of the projects asked for. */
  readonly instances: readonly PricedInterval[];
}

/** Jobs of these projects or on their instances, and their instances; null = all. */
export async function openIntervals(
  tx: Tx,
  projectIds: readonly Id[] | null,
  now: Timestamp,
): Promise<OpenIntervals> {
  let jobs = openJobs(tx);
  let active = machineRows(tx)
    .where(notDeleted('deleted'))
    .where('started_at', 'is not', null)
    .where('finished_at', 'is', null);
  if (projectIds !== null) {
    const own = [...projectIds];
    // Not as a column alone: SQLite would read all machines that the projects have ever had, in place of those that exist.
    active = active.where(sql<Id>`project_id || ''`, 'in', own);
    jobs = jobs.where((eb) =>
      eb.or([eb('j.project_id', 'in', own), eb('i.project_id', 'in', own)]),
    );
  }
  const instances = (await active.execute()).map(machineOf);
  return {
    jobs: await withMachines(tx, await jobs.execute(), instances, now),
    instances: instances.flatMap((machine) => instanceInterval(machine, now) ?? []),
  };
}

/** Jobs of these runs. */
export async function openIntervalsOfRuns(
  db: Db | Tx,
  runIds: readonly Id[],
  now: Timestamp,
): Promise<PricedInterval[]> {
  const rows = await forIds(runIds, (slice) =>
    openJobs(db).where('j.run_id', 'in', slice).execute(),
  );
  return rows.length === 0 ? [] : await withMachines(db, rows, [], now);
}

function openJobs(db: Db | Tx) {
  return db
    .selectFrom('jobs as j')
    .innerJoin('runs as r', 'r.id', 'j.run_id')
    .innerJoin('instances as i', 'i.id', 'j.instance_id')
    .where('j.instance_id', 'is not', null)
    .where('j.provisioned_at', 'is not', null)
    .select(['j.id', 'j.provisioned_at', 'j.claimed_blocks', 'j.instance_id'])
    .select(['r.id as run_id', 'r.name', 'r.project_id', 'r.user_id'])
    .select(tags('configuration').as('tags'))
    .select(tags('profile').as('profile_tags'));
}

/** JSON text, without the rest of the specification. */
const tags = (part: 'configuration' | 'profile') =>
  sql<string | null>`r.spec -> ${sql.lit(part)} ->> 'tags'`;

type OpenJob = Awaited<ReturnType<ReturnType<typeof openJobs>['execute']>>[number];

async function withMachines(
  db: Db | Tx,
  jobs: readonly OpenJob[],
  loaded: readonly PricedInstance[],
  now: Timestamp,
): Promise<PricedInterval[]> {
  const instances = new Map(loaded.map((machine) => [machine.id, machine]));
  const others = jobs.flatMap(({ instance_id: id }) =>
    id === null || instances.has(id) ? [] : [id],
  );
  const rows = await forIds(others, (slice) => machineRows(db).where('id', 'in', slice).execute());
  for (const row of rows) instances.set(row.id, machineOf(row));
  return jobs.flatMap((row) => {
    const machine = instances.get(row.instance_id ?? '');
    if (machine === undefined) return [];
    const job = {
      id: row.id,
      provisionedAt: row.provisioned_at,
      claimedBlocks: row.claimed_blocks,
    };
    return jobInterval(job, payingRun(row), machine, now) ?? [];
  });
}

function payingRun(row: OpenJob) {
  const { run_id: id, name, project_id: projectId, user_id: userId } = row;
  const spec = {
    configuration: { tags: parsed(row.tags) },
    profile: { tags: parsed(row.profile_tags) },
  } as unknown as RunRecord['spec'];
  return { id, name, projectId, userId, spec };
}

const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

function machineRows(db: Db | Tx) {
  return db
    .selectFrom('instances')
    .select(['id', 'project_id', 'fleet_id', 'instance_num', 'name', 'price', 'offer'])
    .select(['total_blocks', 'started_at', 'finished_at', 'priced_since']);
}

const machineOf = (row: object): PricedInstance => instanceTable.decode(row);
