import {
  isJobProvisioning,
  isJobPulling,
  isJobSubmitted,
  isJobTerminating,
} from '@dstack/contract/status';
import { type ArrayRecord, arrayOf, type Id, type JobRecord, type JobStage } from '@dstack/core';
import { type SelectQueryBuilder, sql } from 'kysely';
import { arraysByIds } from '../arrays/array-rows.ts';
import { asReplica, shownMembers } from '../arrays/shown-members.ts';
import type { VersionedKey } from '../base/key-list.ts';
import { forIds, groupBy } from '../base/query.ts';
import type { StoreContext } from '../context/context.ts';
import { JOB_KEY, jobsByKeys } from '../jobs/jobs-by-keys.ts';
import { reportsOf } from '../jobs/reports.ts';
import { costsOfRuns } from '../ledger/costs-of-runs.ts';
import type { DB } from '../schema/db.ts';
import { pullTable, runTable } from '../schema/work-tables.ts';
import type { RunView } from './types.ts';

type Reads = Pick<StoreContext, 'db' | 'records' | 'postgres' | 'read' | 'now'>;

/** The columns of a run that `withNames` needs. */
export const NAMED_RUN = [
  'r.id',
  'r.version',
  'r.project_id',
  'r.user_id',
  'r.fleet_id',
  'r.submitted_at',
] as const;

interface WithRuns extends DB {
  readonly r: Pick<DB['runs'], LastPart<(typeof NAMED_RUN)[number]>>;
}

type LastPart<Column> = Column extends `r.${infer Name}` ? Name : never;

/** Keys of runs with the names that the wire shows beside them. */
export function withNames(runs: SelectQueryBuilder<WithRuns, 'r', object>) {
  return runs
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .innerJoin('users as u', 'u.id', 'r.user_id')
    .leftJoin('fleets as f', 'f.id', 'r.fleet_id')
    .select(['r.id', 'r.version'])
    .select(['p.name as project_name', 'u.name as user_name', 'f.name as fleet_name']);
}

interface NamedKey extends VersionedKey {
  readonly project_name: string;
  readonly user_name: string;
  readonly fleet_name: string | null;
}

export async function toViews(
  reads: Reads,
  keys: readonly NamedKey[],
  options: ViewOptions,
): Promise<RunView[]> {
  const own = await ownViews(reads, keys, options);
  const views = options.members === undefined ? own : await withMembers(reads, own, options);
  return options.jobs ? await withCosts(reads, views) : views;
}

/** Also of runs without a fleet, which have had one: with a schedule between two starts, or before another attempt. */
async function withCosts(reads: Reads, views: readonly RunView[]): Promise<RunView[]> {
  const single = views.filter(({ array }) => array === undefined);
  const costs = await costsOfRuns(reads, {
    runs: single.map(({ run }) => run.id),
    open: single.flatMap(({ run, jobs }) =>
      jobs.some(({ instanceId }) => instanceId !== null) ? run.id : [],
    ),
    arrays: views.flatMap(({ array }) => array?.id ?? []),
  });
  return views.map((view) => {
    const cost = costs.get(view.run.id) ?? 0;
    return cost === 0 ? view : { ...view, cost };
  });
}

interface ViewOptions {
  readonly jobs: boolean;
  readonly submissionsLimit?: number | undefined;
  /** The most members of each array that are shown as its jobs; omitted: none, and no figures. */
  readonly members?: number;
}

/** Arrays with their figures, and with jobs of some of their members in place of their own. */
async function withMembers(
  reads: Reads,
  views: readonly RunView[],
  { members: limit = 0, ...options }: ViewOptions,
): Promise<RunView[]> {
  const ids = views.flatMap(({ run }) => (arrayOf(run.spec) === null ? [] : [run.id]));
  if (ids.length === 0) return [...views];
  const arrays = await arraysByIds(reads.db, ids);
  const shown = options.jobs
    ? await jobsOfMembers(reads, [...arrays.values()], limit, options)
    : null;
  return views.map((view) => {
    const array = arrays.get(view.run.id);
    if (array === undefined) return view;
    return { ...view, array, ...shown?.get(array.id) };
  });
}

type JobsOfRun = Pick<RunView, 'jobs' | 'probes' | 'pulls' | 'stages'>;

/** By array. */
async function jobsOfMembers(
  reads: Reads,
  arrays: readonly ArrayRecord[],
  limit: number,
  options: ViewOptions,
): Promise<Map<Id, JobsOfRun>> {
  const shown = await shownMembers(reads.db, arrays, limit);
  const keys = await forIds(shown, (slice) =>
    withNames(reads.db.selectFrom('runs as r').where('r.id', 'in', slice)).execute(),
  );
  const members = await ownViews(reads, keys, options);
  const byArray = groupBy(members, ({ run }) => run.arrayId ?? '');
  return new Map([...byArray].map(([id, own]) => [id, together(id, own)]));
}

function together(arrayId: Id, members: readonly RunView[]): JobsOfRun {
  const jobs = members.flatMap((member) =>
    member.jobs.map((job) => asReplica(job, arrayId, member.run.arrayIndex ?? 0)),
  );
  return {
    jobs: jobs.sort((a, b) => a.replicaNum - b.replicaNum || a.submissionNum - b.submissionNum),
    probes: Object.assign({}, ...members.map((member) => member.probes)),
    pulls: Object.assign({}, ...members.map((member) => member.pulls)),
    stages: Object.assign({}, ...members.map((member) => member.stages)),
  };
}

async function ownViews(
  reads: Reads,
  keys: readonly NamedKey[],
  options: ViewOptions,
): Promise<RunView[]> {
  const { db, records } = reads;
  const runs = await records.read(db, runTable, keys);
  const names = new Map(keys.map((key) => [key.id, key]));
  const ids = options.jobs ? runs.map((run) => run.id) : [];
  const jobs = await jobsOf(reads, ids, options.submissionsLimit);
  const jobsByRun = groupBy(jobs, (job) => job.runId);
  const probed = jobs.filter((job) => (job.spec.probes ?? []).length > 0);
  const probes = await probesOf(
    db,
    probed.map((job) => job.runId),
  );
  const pulling = jobs.filter((job) => isJobPulling(job.status)).map((job) => job.runId);
  const pulls = await pullsOf(db, pulling);
  const stages = await stagesOf(db, jobs);
  return runs.flatMap((run): RunView[] => {
    const named = names.get(run.id);
    if (!named) return [];
    const { project_name, user_name, fleet_name } = named;
    return [
      {
        run,
        projectName: project_name,
        userName: user_name,
        fleet:
          run.fleetId !== null && fleet_name !== null
            ? { id: run.fleetId, name: fleet_name }
            : null,
        jobs: jobsByRun.get(run.id) ?? [],
        probes: probes.get(run.id) ?? {},
        pulls: pulls.get(run.id) ?? {},
        stages: stages.get(run.id) ?? {},
        cost: 0,
      },
    ];
  });
}

/** A run may have hundreds of jobs. */
const RUNS_IN_SLICE = 32;

/** A limit of 0 keeps the newest submission: the wire shows the job, without submissions. */
async function jobsOf(
  { db, records }: Reads,
  runIds: readonly Id[],
  limit: number | undefined,
): Promise<JobRecord[]> {
  const keys = await forIds(
    runIds,
    (slice) => {
      const ranked = db
        .selectFrom('jobs')
        .select([...JOB_KEY, 'replica_num', 'job_num', 'submission_num'])
        .select(
          sql<number>`row_number() over (
          partition by run_id, replica_num, job_num order by submission_num desc)`.as('newest'),
        )
        .where('run_id', 'in', slice);
      let chosen = db.selectFrom(ranked.as('j')).selectAll();
      if (limit !== undefined) chosen = chosen.where('newest', '<=', Math.max(limit, 1));
      return chosen.orderBy('replica_num').orderBy('job_num').orderBy('submission_num').execute();
    },
    RUNS_IN_SLICE,
  );
  return jobsByKeys(db, records, keys);
}

async function probesOf(
  db: Reads['db'],
  runIds: readonly Id[],
): Promise<Map<Id, Record<Id, readonly number[]>>> {
  const rows = await forIds(runIds, (slice) =>
    db
      .selectFrom('probes as pr')
      .innerJoin('jobs as j', 'j.id', 'pr.job_id')
      .select(['j.run_id', 'pr.job_id', 'pr.success_streak'])
      .where('j.run_id', 'in', slice)
      .orderBy('pr.job_id')
      .orderBy('pr.probe_num')
      .execute(),
  );
  return perRun(rows, (ofJob) => ofJob.map((row) => row.success_streak));
}

async function pullsOf(db: Reads['db'], runIds: readonly Id[]): Promise<Map<Id, RunView['pulls']>> {
  const rows = await forIds(runIds, (slice) =>
    db
      .selectFrom('job_pulls as pl')
      .innerJoin('jobs as j', 'j.id', 'pl.job_id')
      .select(['j.run_id', 'pl.job_id', 'pl.progress'])
      .where('j.run_id', 'in', slice)
      .where('j.status', '=', 'pulling')
      .execute(),
  );
  return perRun(rows, ([row]) => pullTable.decode(row ?? {}).progress);
}

async function stagesOf(
  db: Reads['db'],
  jobs: readonly JobRecord[],
): Promise<Map<Id, RunView['stages']>> {
  const rows = [...(await stopStages(db, jobs)), ...(await machineStages(db, jobs))];
  return perRun(rows, ([row]) => (row as StageRow).stage);
}

interface StageRow {
  readonly run_id: Id;
  readonly job_id: Id;
  readonly stage: JobStage;
}

async function stopStages(db: Reads['db'], jobs: readonly JobRecord[]): Promise<StageRow[]> {
  const stopping = jobs.filter((job) => isJobTerminating(job.status));
  const runIds = new Map(stopping.map((job) => [job.id, job.runId]));
  return (await reportsOf(db, [...runIds.keys()])).flatMap(({ jobId, state }) => {
    const { stop_stage: stage } = state;
    if (stage === null) return [];
    return [{ run_id: runIds.get(jobId) ?? '', job_id: jobId, stage: { kind: 'stop', stage } }];
  });
}

/** The stage of the machine that a job waits for: its order, its start, the way to its agent. */
async function machineStages(db: Reads['db'], jobs: readonly JobRecord[]): Promise<StageRow[]> {
  const waiting = jobs.filter(
    ({ status, instanceId }) =>
      instanceId !== null && (isJobSubmitted(status) || isJobProvisioning(status)),
  );
  const instanceIds = [...new Set(waiting.flatMap(({ instanceId }) => instanceId ?? []))];
  const rows = await forIds(instanceIds, (slice) =>
    db
      .selectFrom('instances')
      .select(['id', 'termination_message as text'])
      .where('id', 'in', slice)
      .where('status', 'in', ['pending', 'provisioning'])
      .execute(),
  );
  const found = new Map(rows.map(({ id, text }) => [id, text]));
  return waiting.flatMap(({ id, runId, instanceId }): StageRow[] => {
    const text = found.get(instanceId ?? '');
    return text ? [{ run_id: runId, job_id: id, stage: { kind: 'machine', text } }] : [];
  });
}

function perRun<R extends { readonly run_id: Id; readonly job_id: Id }, T>(
  rows: readonly R[],
  value: (ofJob: readonly R[]) => T,
): Map<Id, Record<Id, T>> {
  const runs = new Map<Id, Record<Id, T>>();
  for (const [jobId, ofJob] of groupBy(rows, (row) => row.job_id)) {
    const runId = ofJob[0]?.run_id ?? '';
    const jobs = runs.get(runId) ?? {};
    jobs[jobId] = value(ofJob);
    runs.set(runId, jobs);
  }
  return runs;
}
