/** What the jobs of an active run say about the run. */
import type { JobRecord, RunTerminationReason } from '../model/index.ts';
import { hasRunGotMachines, isJobAlive, jobOutcome } from '../status/index.ts';
import { endJob } from './end-job.ts';
import { endsWithMaster } from './gang.ts';
import { isReplicaOver, type Replica, replicasOf } from './replicas.ts';
import { replicaVerdict } from './retry.ts';
import type { RunPass } from './run-pass.ts';
import { submitReplica } from './submit-jobs.ts';

interface Tally {
  readonly outcomes: ReadonlySet<string>;
  readonly ends: ReadonlySet<RunTerminationReason>;
  readonly retry: readonly Replica[];
}

/** Moves the run to where its jobs are; failed replicas are tried again or end the run. */
export function deriveRun(pass: RunPass): void {
  const tally = count(pass);
  const end = endReason(pass, tally);
  if (end !== null) {
    pass.endRun(end);
    return;
  }
  for (const replica of tally.retry) endSiblings(pass, replica);
  for (const status of ['running', 'provisioning', 'submitted'] as const) {
    if (!tally.outcomes.has(status)) continue;
    follow(pass, status);
    retryBesideOthers(pass, tally.retry);
    return;
  }
  suspend(pass, tally.retry);
}

function count(pass: RunPass): Tally {
  const outcomes = new Set<string>();
  const ends = new Set<RunTerminationReason>();
  const retry: Replica[] = [];
  for (const replica of replicasOf(pass.latest)) {
    const verdict = replicaVerdict(pass, replica.jobs);
    if (verdict === null) for (const job of replica.jobs) outcomes.add(jobOutcome(job));
    else if (verdict.kind === 'retry') retry.push(replica);
    else ends.add(verdict.kind === 'never' ? 'job_failed' : 'retry_limit_exceeded');
  }
  return { outcomes, ends, retry };
}

function endReason(pass: RunPass, tally: Tally): RunTerminationReason | null {
  if (tally.ends.has('job_failed')) return 'job_failed';
  if (tally.ends.has('retry_limit_exceeded')) return 'retry_limit_exceeded';
  if (endsWithMaster(pass) && pass.latest.some(isDoneMaster)) return 'all_jobs_done';
  const active = ['running', 'provisioning', 'submitted'].some((one) => tally.outcomes.has(one));
  if (!active && tally.outcomes.has('done') && tally.retry.length === 0) return 'all_jobs_done';
  return null;
}

function isDoneMaster(job: JobRecord): boolean {
  return job.replicaNum === 0 && job.jobNum === 0 && jobOutcome(job) === 'done';
}

function follow(pass: RunPass, status: 'submitted' | 'provisioning' | 'running'): void {
  if (pass.run.status === status) return;
  // A machine was had: the next wait for one begins with the shortest delay.
  pass.moveRun(status, hasRunGotMachines(status) ? { resubmissionAttempt: 0 } : {});
}

/** The rest of a replica that is to be tried again as a whole. */
function endSiblings(pass: RunPass, replica: Replica): void {
  for (const job of replica.jobs) {
    if (!isJobAlive(job.status)) continue;
    endJob(pass, job, 'terminated_by_server', {
      message: 'The replica is to be resubmitted',
      graceful: true,
    });
  }
}

/** As soon as all its nodes are gone, so that it may have their place again. */
function retryBesideOthers(pass: RunPass, replicas: readonly Replica[]): void {
  for (const replica of replicas) {
    if (isReplicaOver(replica)) submitReplica(pass, replica.num, replica.group, 'retry');
  }
}

/**
 * Nothing is active. With something to retry the run waits for its delay, free to choose another
 * fleet; a service without replicas waits for demand and keeps its fleet.
 */
function suspend(pass: RunPass, retry: readonly Replica[]): void {
  const attempt = pass.run.resubmissionAttempt;
  pass.moveRun(
    'pending',
    retry.length > 0
      ? { resubmissionAttempt: attempt + 1, fleetId: null }
      : { resubmissionAttempt: 0 },
  );
}
