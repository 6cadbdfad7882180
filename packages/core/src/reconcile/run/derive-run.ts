/** Derives the status of an active run from its jobs. */
import type { JobRecord, RunTerminationReason } from '../../model/index.ts';
import { hasRunInstances, isJobAlive, jobOutcome } from '../../status/index.ts';
import { endJob } from '../job/end-job.ts';
import { endsWithMaster } from '../job/gang.ts';
import {
  hasFailed,
  isReplicaAlive,
  isReplicaOver,
  isServing,
  type Replica,
  replicasOf,
  wantedFailures,
} from '../service/replicas.ts';
import { retryTime, verdictAlone } from './retry.ts';
import type { RunPass } from './run-pass.ts';
import { submitReplica } from './submit-jobs.ts';

interface Tally {
  readonly outcomes: ReadonlySet<string>;
  readonly ends: ReadonlySet<RunTerminationReason>;
  /** Failed replicas to retry. */
  readonly retry: readonly Replica[];
}

/** The run follows its jobs; failed replicas are retried or end the run. */
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

/** Beside a serving replica, every failure is retried, whatever the value of `retry`. */
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
      const verdict = serves ? 'retry' : verdictAlone(pass, replica)?.kind;
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
  // A machine was provisioned, so the attempts start again.
  pass.moveRun(status, hasRunInstances(status) ? { resubmissionAttempt: 0 } : {});
}

/** Ends the live jobs of a replica that is retried as a whole. */
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
 * Submits failed replicas again under their own numbers, each after its delay and after all of its
 * nodes have ended. Returns whether one was submitted.
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
 * No job is active: the run becomes `pending`. A run that retries may choose another fleet; a service
 * scaled to zero keeps its fleet.
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
