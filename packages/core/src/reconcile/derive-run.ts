/** What the jobs of an active run say about the run. */
import type { JobRecord, RunTerminationReason } from '../model/index.ts';
import { hasRunGotMachines, isJobAlive, jobOutcome } from '../status/index.ts';
import { endJob } from './end-job.ts';
import { endsWithMaster } from './gang.ts';
import {
  hasFailed,
  isReplicaAlive,
  isReplicaOver,
  isServing,
  type Replica,
  replicasOf,
  wantedFailures,
} from './replicas.ts';
import { replicaVerdict, retryTime } from './retry.ts';
import type { RunPass } from './run-pass.ts';
import { submitReplica } from './submit-jobs.ts';

interface Tally {
  readonly outcomes: ReadonlySet<string>;
  readonly ends: ReadonlySet<RunTerminationReason>;
  /** Failed replicas that are to be tried again. */
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
    retryWhenDue(pass, tally.retry);
    return;
  }
  suspend(pass, tally.retry);
}

/** Beside a replica that serves, every failure is tried again, whatever `retry` says. */
function count(pass: RunPass): Tally {
  const outcomes = new Set<string>();
  const ends = new Set<RunTerminationReason>();
  const failures = new Map(wantedFailures(pass).map((replica) => [replica.num, replica]));
  const serves = isServing(pass);
  const retry: Replica[] = [];
  for (const replica of replicasOf(pass.latest)) {
    if (!hasFailed(replica)) {
      for (const job of replica.jobs) outcomes.add(jobOutcome(job));
    } else if (failures.has(replica.num) || isReplicaAlive(replica)) {
      const verdict = serves ? 'retry' : replicaVerdict(pass, replica.jobs)?.kind;
      if (verdict === 'retry') retry.push(replica);
      else ends.add(verdict === 'spent' ? 'retry_limit_exceeded' : 'job_failed');
    }
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
  // It got a machine: what came before is no row of fruitless attempts any more.
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

/**
 * Submits failed replicas again under their own numbers, each after its delay and once all of its
 * nodes have ended. Answers whether one was.
 */
export function retryWhenDue(pass: RunPass, replicas: readonly Replica[]): boolean {
  let submitted = false;
  for (const replica of replicas) {
    if (!isReplicaOver(replica)) continue;
    const at = retryTime(replica, pass.run.deploymentNum);
    if (pass.now < at) {
      pass.draft.dueAt(at);
    } else {
      submitReplica(pass, { ...replica, occasion: 'retry', after: replica });
      submitted = true;
    }
  }
  return submitted;
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
