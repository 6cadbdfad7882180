/** Reads the input of explanations. */
import { UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import {
  type BlockHolder,
  type CapacityHints,
  type ExplainedRun,
  examinedJobs,
  type FleetRecord,
  type Gang,
  type Id,
  type InstanceRecord,
  type JobRecord,
  type NamedRun,
  type QueuePlace,
  type RunMemory,
  ShareLedger,
  withBackends,
} from '@dstack/core';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { forIds, groupBy } from '../base/query.ts';
import { claimsBeside, hasAsked } from '../claims/load-claims.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { loadExplainedQueue, QUEUED, sharedFleets } from '../queue/load-queue.ts';
import { isAheadOf, queueOrder, rankOfJob } from '../queue/queue-order.ts';
import { upstreamsOf } from '../runs/dependencies.ts';
import { sharesBeside } from '../shares/pool-shares.ts';
import { rankedHeads } from '../shares/shares-view.ts';
import { loadGuesses } from './load-guesses.ts';
import {
  type Cached,
  loadCapacity,
  loadOccupants,
  loadProjectNames,
  volumesOfGangs,
} from './load-placement.ts';
import { inTurns } from './load-pool-queue.ts';
import { loadRun } from './load-run.ts';

/** The most instances of a fleet whose holders are loaded, lowest numbers first. */
const HELD_PER_FLEET = 100;

/** The most runs ahead in the queue that are named; the others are counted. */
const NAMED_AHEAD = 5;

/** The most waiting gangs of each user whose turns are found. */
const RANKED_PER_USER = 200;

export async function loadExplainedRun(
  tx: Tx,
  context: Pick<StoreContext, keyof Cached | 'now'>,
  id: Id,
  hints: CapacityHints,
  memory: RunMemory,
): Promise<ExplainedRun | null> {
  const run = await loadRun(tx, context, id, memory, context.now());
  if (run === null) return null;
  const { projectId } = run.run;
  const capacity = await loadCapacity(tx, context, projectId);
  const rights = await rightsWithin(tx, projectId, capacity.fleets);
  const shared = await sharesBeside(tx, context, [...rights.keys()], capacity.quotas);
  const isShared = shared.shares !== undefined;
  const gangs: Gang[] = [];
  for (const id of rights.keys())
    gangs.push(...(await loadExplainedQueue(tx, context.records, id, isShared)));
  const ofOthers = gangs.filter((gang) => gang.run.projectId !== projectId);
  const queue = withBackends(
    {
      ...{ ...capacity, pool: null, gangs, more: new Set<string>(), rights },
      occupants: await loadOccupants(tx, capacity.fleets),
      ...(await claimsBeside(tx, projectId, capacity, gangs.some(hasAsked))),
      ...shared,
      volumes: [...capacity.volumes, ...(await volumesOfGangs(tx, ofOthers))],
    },
    (id) => (id === projectId ? hints : null),
  );
  const places: QueuePlace[] = [];
  for (const job of examinedJobs(run.jobs)) {
    const fair = shared.shares
      ? await placeInTurns(tx, job, new ShareLedger(shared.shares, capacity.quotas ?? []))
      : null;
    // Far behind, the turns of other users are not known: only those of its own user are counted.
    places.push(fair ?? (await queuePlace(tx, job, isShared ? run.run.userId : null)));
  }
  const holders = await blockHolders(tx, shownInstances(queue.fleets, queue.instances));
  const named = [...holders.map((holder) => holder.run), ...places.flatMap((one) => one.first)];
  const others = [...named, ...ofOthers.map((gang) => gang.run)];
  const projectNames = await loadProjectNames(tx, [
    projectId,
    ...Object.keys(queue.projectNames),
    ...others.map((one) => one.projectId),
  ]);
  const upstreams = await upstreamsOf(tx, run.dependencies);
  const guesses = queue.gangs.length > 0 ? await loadGuesses(tx, capacity.fleets) : [];
  return { run, queue, guesses, places, holders, upstreams, projectNames };
}

function shownInstances(
  fleets: readonly FleetRecord[],
  instances: readonly InstanceRecord[],
): Id[] {
  const byFleet = groupBy(
    instances.filter((one) => one.busyBlocks > 0),
    (one) => one.fleetId,
  );
  return fleets.flatMap((fleet) =>
    (byFleet.get(fleet.id) ?? []).slice(0, HELD_PER_FLEET).map((one) => one.id),
  );
}

/** The project, and those that share its fleets: which of these fleets each may use. */
async function rightsWithin(
  tx: Tx,
  projectId: Id,
  fleets: readonly FleetRecord[],
): Promise<Map<Id, ReadonlySet<Id>>> {
  const ids = fleets.map((fleet) => fleet.id);
  const shared = groupBy(await sharedFleets(tx, projectId, ids), (one) => one.project_id);
  return new Map<Id, ReadonlySet<Id>>([
    [projectId, new Set(ids)],
    ...[...shared].map(([id, own]) => [id, new Set(own.map((one) => one.fleet_id))] as const),
  ]);
}

/** The runs with blocks of these instances, oldest job first. */
export async function blockHolders(tx: Tx, instanceIds: readonly Id[]): Promise<BlockHolder[]> {
  const rows = await forIds(instanceIds, (slice) =>
    tx
      .selectFrom('jobs as j')
      .innerJoin('runs as r', 'r.id', 'j.run_id')
      .select(['j.instance_id', 'j.claimed_blocks'])
      .select(NAMED)
      .where('j.instance_id', 'in', slice)
      .where('j.status', 'in', UNFINISHED_JOB_STATUSES)
      .orderBy('j.submitted_at')
      .orderBy('j.id')
      .execute(),
  );
  return rows.map((row) => ({
    instanceId: row.instance_id ?? '',
    run: namedRun(row),
    blocks: row.claimed_blocks,
  }));
}

const NAMED = ['r.id', 'r.name', 'r.project_id', 'r.priority', 'r.submitted_at'] as const;

interface NamedRow {
  readonly id: string;
  readonly name: string;
  readonly project_id: string;
  readonly priority: number;
  readonly submitted_at: number;
}

const namedRun = (row: NamedRow): NamedRun => ({
  id: row.id,
  name: row.name,
  projectId: row.project_id,
  priority: row.priority,
  submittedAt: Number(row.submitted_at),
});

/** The index `jobs_queued` has the order of the queue. */
async function queuePlace(tx: Tx, job: JobRecord, userId: Id | null): Promise<QueuePlace> {
  const counted = await sql<{ count: number }>`select count(*) as count from jobs
    where ${aheadOf(job, userId)}`.execute(tx);
  const ahead = Number(counted.rows[0]?.count ?? 0);
  if (ahead === 0) return { jobId: job.id, ahead, first: [] };
  const first = await sql<NamedRow>`select r.id, r.name, r.project_id, r.priority, r.submitted_at
    from (
      select run_id, priority, queued_at, replica_num from jobs where ${aheadOf(job, userId)}
      order by ${queueOrder()} limit ${sql.lit(NAMED_AHEAD)}
    ) as j join runs as r on r.id = j.run_id
    order by ${queueOrder('j')}`.execute(tx);
  return { jobId: job.id, ahead, first: first.rows.map(namedRun) };
}

/** In a shared pool, the turns of several users depend on ratios. Null: it is not among the first of its user. */
async function placeInTurns(
  tx: Tx,
  job: JobRecord,
  ledger: ShareLedger,
): Promise<QueuePlace | null> {
  const { projectId, demand, runId, replicaNum } = job;
  const waits = sql`project_id = ${projectId} and demand = ${demand} and ${QUEUED}`;
  const turns = inTurns(await rankedHeads(tx, waits, RANKED_PER_USER), ledger);
  const ahead = turns.findIndex((one) => one.run_id === runId && one.replica_num === replicaNum);
  if (ahead < 0) return null;
  const ids = turns.slice(0, Math.min(ahead, NAMED_AHEAD)).map((one) => one.run_id);
  const rows = await forIds(ids, (slice) =>
    tx.selectFrom('runs as r').select(NAMED).where('r.id', 'in', slice).execute(),
  );
  const byId = new Map(rows.map((row) => [row.id, namedRun(row)]));
  return { jobId: job.id, ahead, first: ids.flatMap((id) => byId.get(id) ?? []) };
}

/** Jobs of the same demand class, and of this user if there is one, that are ahead of this one. */
function aheadOf(job: JobRecord, userId: Id | null): RawBuilder<SqlBool> {
  const { projectId, demand } = job;
  const ofUser = userId === null ? sql`` : sql`and user_id = ${userId}`;
  return sql<SqlBool>`project_id = ${projectId} and demand = ${demand} and ${QUEUED} ${ofUser}
    and ${isAheadOf(rankOfJob(job))}`;
}
