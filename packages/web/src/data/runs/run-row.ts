import { isJobRunning, isRunFinished } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import { type ReplicaCounts, replicaCounts } from './replica-counts.ts';
import { type PlacedResources, runPlacement } from './run-placement.ts';

type RunSubmission = Run['jobs'][number]['job_submissions'][number];

export interface MeasuredJob {
  readonly name: string;
  readonly replica: number;
  readonly job: number;
  readonly submission: string;
}

/**
 * A run as lists show it. A full run is several kilobytes; ten thousand of these rows fit into the
 * memory of a tab.
 */
export interface RunRow {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  /** Its page is found by this: the name, or the id once it is deleted, since a newer run may have its name. */
  readonly ref: string;
  readonly isDeleted: boolean;
  readonly user: string;
  readonly type: 'task' | 'service' | 'dev-environment';
  readonly status: Run['status'];
  /** The status of the job, if the run has exactly one. */
  readonly jobStatus: RunSubmission['status'] | null;
  readonly statusMessage: string;
  readonly terminationReason: string | null;
  readonly submittedAt: string;
  readonly finishedAt: string | null;
  readonly nextStartAt: string | null;
  readonly error: string | null;
  /** USD per hour of all unfinished jobs (of all jobs for finished runs); null: none is placed. */
  readonly price: number | null;
  /** USD. */
  readonly cost: number;
  readonly jobs: number;
  /** Where the jobs are or were; those that follow are about all of them. */
  readonly instances: number;
  readonly fleet: string | null;
  readonly backend: string | null;
  readonly region: string | null;
  readonly instanceType: string | null;
  readonly resources: PlacedResources | null;
  readonly priority: number;
  readonly repo: string | null;
  readonly service: { readonly url: string; readonly model: string | null } | null;
  /** The first running job, whose use lists show; null: none runs. */
  readonly measured: MeasuredJob | null;
  /** The replicas of a service; null: the run is not a service. */
  readonly replicas: ReplicaCounts | null;
}

export function runRow(run: Run): RunRow {
  const { configuration } = run.run_spec;
  const latest = latestSubmission(run);
  const placed = runPlacement(run.jobs, isOver(run.status));
  return {
    id: run.id,
    project: run.project_name,
    name: run.run_spec.run_name ?? '',
    ref: runRef(run),
    isDeleted: run.deleted === true,
    user: run.user,
    type: configuration.type,
    status: run.status,
    jobStatus: run.jobs.length === 1 ? (latest?.status ?? null) : null,
    statusMessage: messageOf(run, latest),
    terminationReason: run.termination_reason,
    submittedAt: run.submitted_at,
    finishedAt: isOver(run.status) ? (latest?.finished_at ?? null) : null,
    nextStartAt: isRunFinished(run.status) ? null : run.next_triggered_at,
    error: run.error ?? latest?.error ?? null,
    price: placed?.price ?? null,
    cost: run.cost,
    jobs: run.jobs.length,
    instances: placed?.instances ?? 0,
    fleet: run.fleet?.name ?? null,
    backend: placed?.backend ?? null,
    region: placed?.region ?? null,
    instanceType: placed?.instanceType ?? null,
    resources: placed?.resources ?? null,
    priority: configuration.priority ?? 0,
    repo: repoOf(run),
    measured: measuredJob(run),
    replicas: configuration.type === 'service' ? replicaCounts(run.jobs) : null,
    service: run.service ? { url: run.service.url, model: run.service.model?.name ?? null } : null,
  };
}

/** See `RunRow.ref`. */
export function runRef({ id, deleted, run_spec }: Run): string {
  return deleted === true ? id : (run_spec.run_name ?? '');
}

function measuredJob({ jobs }: Run): MeasuredJob | null {
  for (const { job_spec, job_submissions } of jobs) {
    const latest = job_submissions.at(-1);
    if (latest === undefined || !isJobRunning(latest.status)) continue;
    const { job_name, replica_num, job_num } = job_spec;
    return { name: job_name, replica: replica_num, job: job_num, submission: latest.id };
  }
  return null;
}

export function latestSubmission(run: Run): RunSubmission | null {
  return run.latest_job_submission ?? run.jobs[0]?.job_submissions.at(-1) ?? null;
}

const isOver = (status: Run['status']): boolean =>
  status === 'done' || status === 'failed' || status === 'terminated';

/** Finished runs show how their job ended, which is more exact than the run's own status. */
function messageOf(run: Run, latest: RunSubmission | null): string {
  if (isOver(run.status) && latest !== null) return latest.status_message || run.status;
  return run.status_message || run.status;
}

function repoOf({ run_spec }: Run): string | null {
  const data = run_spec.repo_data;
  return data?.repo_type === 'remote' ? (data.repo_name ?? run_spec.repo_id) : null;
}
