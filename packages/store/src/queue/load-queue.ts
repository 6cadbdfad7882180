/** Reads the queue of gangs that have no place yet. */
import { ACTIVE_RUN_STATUSES } from '@dstack/contract/status';
import type { Gang, Id, JobRecord, QuotaState } from '@dstack/core';
import { compareRanks } from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { forIds, groupBy } from '../base/query.ts';
import type { RecordCache } from '../caches/record-cache.ts';
import type { Tx } from '../context/context.ts';
import { JOB_KEY, jobsByKeys } from '../jobs/jobs-by-keys.ts';
import { runTable } from '../schema/work-tables.ts';
import { queueOrder, rankOfRow } from './queue-order.ts';

/** The most gangs read per demand class; if a pass places all of them, another pass follows. */
export const PER_CLASS = 50;

/**
 * Spelled exactly as in the partial indexes `jobs_unseen` and `jobs_queued`, else these are not
 * used.
 */
export const UNPLACED = sql`status = 'submitted' and instance_id is null`;
const UNSEEN: RawBuilder<SqlBool> = sql`${UNPLACED} and refusal is null`;
export const QUEUED: RawBuilder<SqlBool> = sql`${UNPLACED} and refusal is not null and job_num = 0`;

const RESERVED: RawBuilder<SqlBool> = sql`${UNPLACED} and reserved is not null`;

/** The most gangs, and demand classes, that an explanation takes into account. */
const EXPLAINED = { gangs: 100, classes: 500 } as const;

export interface Queue {
  readonly gangs: readonly Gang[];
  readonly more: ReadonlySet<string>;
}

export interface QueueRead {
  readonly perClass: number;
  readonly quotas?: readonly QuotaState[];
  /** The pool is shared by weight. */
  readonly isShared?: boolean;
}

/**
 * All new gangs of these projects, and the most urgent waiting gangs of each demand class, `perClass`
 * at most; where users have quotas of their own, or share by weight, as many of each user, whom others of the class do
 * not hold up.
 */
export async function loadQueue(
  tx: Tx,
  records: RecordCache,
  projectIds: readonly Id[],
  { perClass, quotas = [], isShared = false }: QueueRead,
): Promise<Queue> {
  const unseen = await forIds(projectIds, (slice) =>
    tx
      .selectFrom('jobs')
      .select(['run_id', 'replica_num'])
      .where('project_id', 'in', slice)
      .where(UNSEEN)
      .execute(),
  );
  const heads: QueueHead[] = [];
  if (perClass > 0) {
    const byUser = new Set(
      quotas.filter(({ quota }) => quota.userId !== null).map(({ quota }) => quota.projectId),
    );
    for (const id of projectIds) {
      const isByUser = isShared || byUser.has(id);
      const own = isByUser ? headsByUser(tx, id, perClass) : headsOf(tx, id, perClass);
      heads.push(...(await own));
    }
  }
  const holders = perClass > 0 ? await reservationHolders(tx, projectIds) : [];
  const counts = groupBy(heads, (head) => `${head.user_id ?? ''} ${head.demand}`);
  const full = [...counts.values()].filter((own) => own.length === perClass);
  return {
    gangs: await gangsOf(tx, records, [...unseen, ...heads, ...holders]),
    more: new Set(full.map(([head]) => head?.demand ?? '')),
  };
}

/** The first gangs of the project's queue, for explanations. */
export async function loadExplainedQueue(
  tx: Tx,
  records: RecordCache,
  projectId: Id,
  isShared: boolean,
): Promise<readonly Gang[]> {
  const unseen = await tx
    .selectFrom('jobs')
    .select(['run_id', 'replica_num'])
    .where('project_id', '=', projectId)
    .where(UNSEEN)
    .orderBy(queueOrder())
    .limit(EXPLAINED.gangs)
    .execute();
  const heads = await firstHeadsOf(tx, projectId, isShared);
  const holders = await reservationHolders(tx, [projectId]);
  return await gangsOf(tx, records, [...unseen, ...heads, ...holders]);
}

/** The gangs that have reserved something, wherever in the queue they are now. */
export async function reservationHolders(tx: Tx, projectIds: readonly Id[]): Promise<Head[]> {
  return await forIds(projectIds, (slice) =>
    tx
      .selectFrom('jobs')
      .select(['run_id', 'replica_num'])
      .where('project_id', 'in', slice)
      .where(RESERVED)
      .execute(),
  );
}

/** The first gang of each demand class, most urgent first. */
async function firstHeadsOf(tx: Tx, projectId: Id, isShared: boolean): Promise<Head[]> {
  const read = isShared ? headsByUser : headsOf;
  const heads = await read(tx, projectId, 1, EXPLAINED.classes);
  return heads.sort((a, b) => compareRanks(rankOfRow(a), rankOfRow(b))).slice(0, EXPLAINED.gangs);
}

export interface Head {
  readonly run_id: string;
  readonly replica_num: number;
}

interface QueueHead extends Head {
  readonly demand: string;
  readonly priority: number;
  readonly queued_at: number;
  /** Only where users are distinguished. */
  readonly user_id?: string;
}

/**
 * The most urgent gangs of each demand class. The index is entered once per class and read up to the
 * limit, so the gangs behind it cost nothing.
 */
async function headsOf(
  tx: Tx,
  projectId: Id,
  perClass: number,
  classes: number = Number.MAX_SAFE_INTEGER,
): Promise<QueueHead[]> {
  const { rows } = await sql<QueueHead>`
    with recursive classes(demand, place) as (
      select (
        select demand from jobs where project_id = ${projectId} and ${QUEUED} and demand > ''
        order by demand limit 1
      ), cast(1 as bigint)
      union all
      select (
        select demand from jobs
        where project_id = ${projectId} and ${QUEUED} and demand > classes.demand
        order by demand limit 1
      ), place + 1 from classes where classes.demand is not null and place < ${sql.lit(classes)}
    )
    select h.run_id, h.replica_num, h.demand, h.priority, h.queued_at from classes c join jobs h on h.id in (
      select id from jobs
      where project_id = ${projectId} and ${QUEUED} and demand = c.demand
      order by ${queueOrder()} limit ${sql.lit(perClass)}
    ) where c.demand is not null`.execute(tx);
  return rows;
}

/** The same of each user in each class (of a user no more than `classes`), by an index that has the user too. */
async function headsByUser(
  tx: Tx,
  projectId: Id,
  perClass: number,
  classes: number = Number.MAX_SAFE_INTEGER,
): Promise<QueueHead[]> {
  const waits = sql`project_id = ${projectId} and ${QUEUED}`;
  const { rows } = await sql<QueueHead>`
    with recursive users(id) as (
      select (select user_id from jobs where ${waits} and user_id >= '' order by user_id limit 1)
      union all
      select (
        select user_id from jobs where ${waits} and user_id > users.id order by user_id limit 1
      ) from users where users.id is not null
    ), classes(user_id, demand, place) as (
      select id, (
        select demand from jobs where ${waits} and user_id = users.id and demand > ''
        order by demand limit 1
      ), cast(1 as bigint) from users where id is not null
      union all
      select user_id, (
        select demand from jobs
        where ${waits} and user_id = classes.user_id and demand > classes.demand
        order by demand limit 1
      ), place + 1 from classes where demand is not null and place < ${sql.lit(classes)}
    )
    select h.run_id, h.replica_num, h.demand, h.priority, h.queued_at, h.user_id
    from classes c join jobs h on h.id in (
      select id from jobs where ${waits} and user_id = c.user_id and demand = c.demand
      order by ${queueOrder()} limit ${sql.lit(perClass)}
    ) where c.demand is not null`.execute(tx);
  return rows;
}

/**
 * For jobs that are found by their run. The expression hides the column from the indexes on status:
 * SQLite would prefer those, and read the waiting jobs of all projects.
 */
const UNPLACED_OF_RUN = sql<SqlBool>`(status || '') = 'submitted' and instance_id is null`;

/** All jobs of these replicas that have no instance yet, with their runs. */
export async function gangsOf(
  tx: Tx,
  records: RecordCache,
  heads: readonly Head[],
): Promise<Gang[]> {
  const wanted = new Set(heads.map(gangKey));
  const rows = await forIds(
    heads.map((head) => head.run_id),
    (slice) =>
      tx
        .selectFrom('jobs')
        .select([...JOB_KEY, 'run_id', 'replica_num'])
        .where('run_id', 'in', slice)
        .where(UNPLACED_OF_RUN)
        .orderBy('job_num')
        .execute(),
  );
  const jobs = await jobsByKeys(
    tx,
    records,
    rows.filter((row) => wanted.has(gangKey(row))),
  );
  const runKeys = await forIds(
    jobs.map((job) => job.runId),
    (slice) =>
      tx
        .selectFrom('runs')
        .select(['id', 'version'])
        .where('id', 'in', slice)
        .where('status', 'in', ACTIVE_RUN_STATUSES)
        .execute(),
  );
  const runs = new Map((await records.read(tx, runTable, runKeys)).map((run) => [run.id, run]));
  const gangs: Gang[] = [];
  const byGang = groupBy(jobs, (job: JobRecord) => `${job.runId} ${job.replicaNum}`);
  for (const members of byGang.values()) {
    const run = runs.get(members[0]?.runId ?? '');
    if (run) gangs.push({ run, jobs: members });
  }
  return gangs;
}

const gangKey = ({ run_id, replica_num }: Head): string => `${run_id} ${replica_num}`;

/** The other projects that may use these fleets, as owner or importer. */
export async function sharedFleets(
  tx: Tx,
  projectId: Id,
  fleetIds: readonly Id[],
): Promise<{ readonly project_id: Id; readonly fleet_id: Id }[]> {
  const owners = await forIds(fleetIds, (slice) =>
    tx
      .selectFrom('fleets')
      .select(['project_id', 'id as fleet_id'])
      .where('id', 'in', slice)
      .where('project_id', '!=', projectId)
      .execute(),
  );
  const importers = await forIds(fleetIds, (slice) =>
    tx
      .selectFrom('exported_fleets as ef')
      .innerJoin('imports as i', 'i.export_id', 'ef.export_id')
      .select(['i.project_id', 'ef.fleet_id'])
      .distinct()
      .where('ef.fleet_id', 'in', slice)
      .where('i.project_id', '!=', projectId)
      .execute(),
  );
  return [...owners, ...importers];
}

/** The outer parentheses matter: further conditions are added with `and`. */
export const HAS_WAITING_JOBS: RawBuilder<SqlBool> = sql`(exists (select 1 from jobs
    where project_id = projects.id and ${UNSEEN})
    or exists (select 1 from jobs where project_id = projects.id and demand > '' and ${QUEUED}))`;
