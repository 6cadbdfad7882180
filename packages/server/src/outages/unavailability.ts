/** Why a service has no replica that accepts requests, derived from its run and jobs. */
import {
  isCapacityReason,
  isEndedByUser,
  isJobAlive,
  isJobFinished,
  isJobPulling,
  isJobRunning,
  isJobSubmitted,
  isRunAlive,
} from '@dstack/contract/status';
import type { Refusal } from '@dstack/contract/wire';
import {
  type JobRecord,
  type RunRecord,
  routerGroup,
  SECOND,
  scalesByDemand,
  type Timestamp,
} from '@dstack/core';

/** A run of a service, finished or not, and its jobs. */
export interface ServiceState {
  readonly run: Pick<
    RunRecord,
    'spec' | 'status' | 'terminationReason' | 'desiredReplicas' | 'nextTriggeredAt'
  >;
  /** All submissions. */
  readonly jobs: readonly ReplicaJob[];
}

export type ReplicaJob = Pick<
  JobRecord,
  | 'jobNum'
  | 'replicaNum'
  | 'submissionNum'
  | 'spec'
  | 'status'
  | 'terminationReason'
  | 'terminationMessage'
  | 'exitStatus'
  | 'refusal'
  | 'registered'
  | 'runningAt'
  | 'statusChangedAt'
  | 'disconnectedAt'
>;

/** `message`: details for members of the project. */
export type Unavailability =
  /** A replica starts, and has not failed before. */
  | { readonly cause: 'starting'; readonly stage: 'waiting' | 'machine' | 'image' | 'app' }
  /** A replica has run for so many seconds without passing its probes. */
  | { readonly cause: 'failing_probe'; readonly seconds: number }
  /** `refusal`: from placement; null if a backend failed to provide the machine. */
  | {
      readonly cause: 'no_capacity';
      readonly refusal: Refusal | null;
      readonly message: string | null;
    }
  | {
      readonly cause: 'exited';
      readonly exitStatus: number | null;
      readonly message: string | null;
      /** Whether the replica is being started again. */
      readonly restarts: boolean;
    }
  /** This many submissions of one replica in a row have exited with an error. */
  | { readonly cause: 'crash_loop'; readonly exitStatus: number | null; readonly exits: number }
  /** A replica ended for another reason. */
  | {
      readonly cause: 'failed';
      readonly reason: JobRecord['terminationReason'];
      readonly message: string | null;
    }
  | { readonly cause: 'unreachable' }
  | { readonly cause: 'stopping' }
  /** `wakes`: whether a request starts a replica. */
  | { readonly cause: 'scaled_to_zero'; readonly wakes: boolean }
  /** The schedule starts the service at this time. */
  | { readonly cause: 'scheduled'; readonly at: Timestamp }
  /** The run is finished or being stopped. */
  | { readonly cause: 'ended'; readonly reason: RunRecord['terminationReason'] };

/** Number of exits with an error in a row that count as a crash loop. */
const CRASH_LOOP = 3;

/** Probes that have not passed count as failing this long (µs) after the start. */
const PROBE_GRACE = 30 * SECOND;

/** Null if some replica accepts requests. */
export function unavailabilityOf(state: ServiceState, now: Timestamp): Unavailability | null {
  const { run } = state;
  const replicas = replicasThatServe(state);
  const isOver = !isRunAlive(run.status);
  if (isOver && isEndedByUser(run.terminationReason)) return ended(run);
  if (!isOver && replicas.some(([latest]) => latest !== undefined && serves(latest))) return null;
  const causes = replicas.flatMap((submissions) => causeOf(submissions, now) ?? []);
  causes.sort((a, b) => rank(a) - rank(b));
  if (isOver) return causes.find(isEnd) ?? ended(run);
  if (run.nextTriggeredAt !== null && !replicas.some(isAlive)) {
    return { cause: 'scheduled', at: run.nextTriggeredAt };
  }
  const [first] = causes;
  if (first !== undefined) return first;
  const wanted = Object.values(run.desiredReplicas).reduce((sum, count) => sum + count, 0);
  if (wanted === 0) return { cause: 'scaled_to_zero', wakes: scalesByDemand(run) };
  return { cause: 'starting', stage: 'waiting' };
}

const ended = ({ terminationReason }: ServiceState['run']): Unavailability => ({
  cause: 'ended',
  reason: terminationReason,
});

const serves = (job: ReplicaJob) =>
  isJobRunning(job.status) && job.registered && job.disconnectedAt === null;

/** The submissions of each replica that can accept requests, the latest first. */
function replicasThatServe({ run, jobs }: ServiceState): ReplicaJob[][] {
  const router = routerGroup(run.spec.configuration)?.name;
  const byNum = new Map<number, ReplicaJob[]>();
  for (const job of jobs) {
    if (job.jobNum !== 0 || (router !== undefined && job.spec.replica_group !== router)) continue;
    byNum.set(job.replicaNum, [...(byNum.get(job.replicaNum) ?? []), job]);
  }
  return [...byNum.values()].map((one) => one.sort((a, b) => b.submissionNum - a.submissionNum));
}

const isAlive = ([latest]: readonly ReplicaJob[]) =>
  latest !== undefined && isJobAlive(latest.status);

/** Null if the replica was scaled down. */
function causeOf(submissions: readonly ReplicaJob[], now: Timestamp): Unavailability | null {
  const [latest, ...earlier] = submissions;
  if (latest === undefined) return null;
  if (isJobRunning(latest.status)) return causeOfRunning(latest, now);
  if (isJobAlive(latest.status)) return failureOf(earlier, true) ?? startingOf(latest);
  if (latest.terminationReason === 'scaled_down') {
    return isJobFinished(latest.status) ? null : { cause: 'stopping' };
  }
  return failureOf(submissions, false) ?? { cause: 'stopping' };
}

function causeOfRunning(job: ReplicaJob, now: Timestamp): Unavailability {
  if (job.disconnectedAt !== null) return { cause: 'unreachable' };
  const since = now - (job.runningAt ?? job.statusChangedAt);
  const isProbed = (job.spec.probes ?? []).length > 0;
  if (!isProbed || since < PROBE_GRACE) return { cause: 'starting', stage: 'app' };
  return { cause: 'failing_probe', seconds: Math.floor(since / SECOND) };
}

function startingOf({ status, refusal }: ReplicaJob): Unavailability {
  if (refusal !== null) return { cause: 'no_capacity', refusal, message: null };
  if (isJobPulling(status)) return { cause: 'starting', stage: 'image' };
  return { cause: 'starting', stage: isJobSubmitted(status) ? 'waiting' : 'machine' };
}

/** The failure of the first submission; null if it has not failed. */
function failureOf(submissions: readonly ReplicaJob[], restarts: boolean): Unavailability | null {
  const [latest] = submissions;
  const reason = latest?.terminationReason ?? null;
  if (latest === undefined || reason === null || isJobAlive(latest.status)) return null;
  const { exitStatus, refusal, terminationMessage: message } = latest;
  if (isCapacityReason(reason)) return { cause: 'no_capacity', refusal, message };
  if (reason === 'done_by_runner') {
    return { cause: 'exited', exitStatus: exitStatus ?? 0, message, restarts };
  }
  if (reason === 'container_exited_with_error') {
    const exits = exitsInARow(submissions);
    if (exits >= CRASH_LOOP) return { cause: 'crash_loop', exitStatus, exits };
    return { cause: 'exited', exitStatus, message, restarts };
  }
  if (reason === 'scaled_down') return null;
  return { cause: 'failed', reason, message };
}

function exitsInARow(submissions: readonly ReplicaJob[]): number {
  const other = submissions.findIndex(
    ({ terminationReason }) => terminationReason !== 'container_exited_with_error',
  );
  return other < 0 ? submissions.length : other;
}

/** Lower for replicas that are closer to accepting requests: those decide what is reported. */
function rank(one: Unavailability): number {
  return RANKS.indexOf(one.cause === 'starting' ? `starting ${one.stage}` : one.cause);
}

const RANKS: readonly string[] = [
  ...['starting app', 'failing_probe', 'starting image', 'starting machine', 'unreachable'],
  ...['crash_loop', 'exited', 'no_capacity', 'starting waiting', 'failed', 'stopping'],
];

/** Causes that end a run. */
const isEnd = ({ cause }: Unavailability) =>
  ['crash_loop', 'exited', 'no_capacity', 'failed'].includes(cause);
