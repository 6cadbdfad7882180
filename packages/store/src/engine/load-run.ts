import { isJobFinished, isJobRunning } from '@dstack/contract/status';
import {
  arrayOf,
  autoscalingRules,
  type GpuSample,
  type Id,
  type JobRecord,
  KEPT_SUBMISSIONS,
  type RunMemory,
  type RunSnapshot,
  scalesByDemand,
  type Timestamp,
  windowOf,
} from '@dstack/core';
import { loadArray, openDirective } from '../arrays/array-rows.ts';
import { groupBy } from '../base/query.ts';
import { waitingAskers } from '../claims/load-claims.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { hostsOf } from '../jobs/hosts.ts';
import { JOB_KEY, jobsByKeys } from '../jobs/jobs-by-keys.ts';
import { reportedOf } from '../jobs/reports.ts';
import { dependenciesOf } from '../runs/dependencies.ts';
import { pointTable, runTable } from '../schema/work-tables.ts';
import { serviceLoad } from '../services/load.ts';
import { requestCounts } from '../services/requests.ts';
import { jobVolumes, mountsVolumes } from '../volumes/uses.ts';
import { intentsOf } from './parts.ts';
import { placesOf } from './places.ts';

/**
 * The newest submissions read per job: those that are always kept, and the next two, which the next
 * submission may remove.
 */
const SUBMISSIONS_PER_JOB = KEPT_SUBMISSIONS + 2;

export async function loadRun(
  tx: Tx,
  context: Pick<StoreContext, 'records' | 'fleetIndexes'>,
  id: Id,
  memory: RunMemory,
  now: Timestamp,
): Promise<RunSnapshot | null> {
  const row = await tx
    .selectFrom('runs as r')
    .innerJoin('projects as p', 'p.id', 'r.project_id')
    .selectAll('r')
    .select('p.name as project_name')
    .where('r.id', '=', id)
    .executeTakeFirst();
  if (!row) return null;
  const jobs = await loadJobs(tx, context.records, id);
  const places = await placesOf(tx, context, present(jobs.map((job) => job.instanceId)));
  const { instances } = places;
  const jobIds = jobs.map((job) => job.id);
  const reporting = jobs.filter((job) => hasRelevantReport(job, jobs)).map((job) => job.id);
  const run = runTable.decode(row);
  const evictions = jobs.flatMap(({ eviction }) => eviction ?? []);
  const rules = autoscalingRules(run);
  const array = arrayOf(run.spec) === null ? null : await loadArray(tx, id);
  const directive = await openDirective(tx, run);
  const gpuWindow = Math.max(0, ...rules.filter(({ metric }) => metric === 'gpu').map(windowOf));
  return {
    run,
    projectName: row.project_name,
    dependencies: run.dependencyState === null ? [] : await dependenciesOf(tx, id),
    ...(array !== null && { array }),
    ...(directive !== null && { directive }),
    jobs,
    instances,
    fleetUses: places.fleetUses,
    hosts: await hostsOf(tx, present(instances.map((instance) => instance.hostId))),
    ...(await reportedOf(tx, reporting)),
    intents: await intentsOf(tx, [...jobIds, ...instances.map((instance) => instance.id)]),
    overQuota: breachesOf(jobIds, memory),
    gpuSamples: await loadGpuSamples(tx, jobs, gpuWindow, now),
    ...(evictions.length > 0 && { askers: await waitingAskers(tx, evictions) }),
    probes: await loadProbes(tx, jobs),
    livenessFailures: await loadLiveness(tx, jobs),
    volumes: mountsVolumes(run.spec) ? await jobVolumes(tx, jobIds) : [],
    requests: run.serviceSpec && scalesByDemand(run) ? await requestCounts(tx, id, now) : null,
    load: run.serviceSpec && rules.length > 0 ? await serviceLoad(tx, id, now) : null,
  };
}

function breachesOf(jobIds: readonly Id[], { overQuota }: RunMemory): Record<Id, string> {
  const breaches: Record<Id, string> = {};
  for (const id of jobIds) {
    const text = overQuota.get(id);
    if (text !== undefined) breaches[id] = text;
  }
  return breaches;
}

/**
 * The newest submissions of each job, and the last that ever got a machine. Unchanged ones come from the cache: a
 * pass for one report reads no other job of a large run.
 */
async function loadJobs(tx: Tx, records: StoreContext['records'], runId: Id): Promise<JobRecord[]> {
  const keys = await tx
    .selectFrom('jobs')
    .select([...JOB_KEY, 'replica_num', 'job_num', 'submission_num', 'provisioned_at'])
    .where('run_id', '=', runId)
    .orderBy('submission_num')
    .orderBy('replica_num')
    .orderBy('job_num')
    .execute();
  const needed = new Set<Id>();
  for (const submissions of groupBy(keys, (key) => `${key.replica_num} ${key.job_num}`).values()) {
    const lastWithMachine = submissions.findLast((key) => key.provisioned_at !== null);
    for (const { id } of submissions.slice(-SUBMISSIONS_PER_JOB)) needed.add(id);
    if (lastWithMachine) needed.add(lastWithMachine.id);
  }
  const chosen = keys.filter(({ id }) => needed.has(id));
  return await jobsByKeys(tx, records, chosen);
}

/** Only of jobs that are not ready yet: later results change nothing. */
async function loadProbes(
  tx: Tx,
  jobs: readonly JobRecord[],
): Promise<Record<Id, readonly number[]>> {
  const waiting = jobs.filter(
    (job) => isJobRunning(job.status) && !job.ready && (job.spec.probes ?? []).length > 0,
  );
  if (waiting.length === 0) return {};
  const rows = await tx
    .selectFrom('probes')
    .select(['job_id', 'success_streak'])
    .where('job_id', 'in', present(waiting.map((job) => job.id)))
    .orderBy('probe_num')
    .execute();
  const streaks: Record<Id, number[]> = {};
  for (const row of rows) {
    const own = streaks[row.job_id] ?? [];
    own.push(row.success_streak);
    streaks[row.job_id] = own;
  }
  return streaks;
}

/** Only of running jobs with a liveness probe. */
async function loadLiveness(
  tx: Tx,
  jobs: readonly JobRecord[],
): Promise<Readonly<Record<Id, number>>> {
  const probed = jobs.filter((job) => isJobRunning(job.status) && job.spec.liveness);
  if (probed.length === 0) return {};
  const rows = await tx
    .selectFrom('job_liveness')
    .selectAll()
    .where(
      'job_id',
      'in',
      probed.map((job) => job.id),
    )
    .execute();
  return Object.fromEntries(rows.map((row) => [row.job_id, row.failures]));
}

/** Older than a policy's window by this, which shows that the window is full. */
const SAMPLE_MARGIN = 60_000_000;

/** Loads samples of running jobs with a utilisation policy, and those of the seconds that scaling needs. */
async function loadGpuSamples(
  tx: Tx,
  jobs: readonly JobRecord[],
  needed: number,
  now: Timestamp,
): Promise<Record<Id, GpuSample[]>> {
  const samples: Record<Id, GpuSample[]> = {};
  for (const job of jobs) {
    const policy = job.spec.utilization_policy;
    const window = Math.max(policy?.time_window ?? 0, needed);
    if (!isJobRunning(job.status) || window === 0) continue;
    const rows = await tx
      .selectFrom('job_metrics_points')
      .selectAll()
      .where('job_id', '=', job.id)
      .where('timestamp_micro', '>=', now - window * 1_000_000 - SAMPLE_MARGIN)
      .orderBy('timestamp_micro')
      .execute();
    samples[job.id] = rows.map((row) => {
      const point = pointTable.decode(row);
      return { at: point.timestampMicro, utilization: point.gpus.map((gpu) => gpu.util_percent) };
    });
  }
  return samples;
}

/** Reports of agents matter for the latest submission of a job, and while a submission lives. */
function hasRelevantReport(job: JobRecord, jobs: readonly JobRecord[]): boolean {
  if (!isJobFinished(job.status)) return true;
  return !jobs.some(
    (other) =>
      other.replicaNum === job.replicaNum &&
      other.jobNum === job.jobNum &&
      other.submissionNum > job.submissionNum,
  );
}

function present<T>(values: readonly (T | null)[]): T[] {
  return values.filter((value): value is T => value !== null);
}
