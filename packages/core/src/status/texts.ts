/** Texts of statuses as clients see them. */
import type { StopStage } from '@dstack/contract/agent';
import {
  isCapacityReason,
  isJobDone,
  isJobFailed,
  isJobFinished,
  isJobProvisioning,
  isJobPulling,
  isJobRunning,
  isJobSubmitted,
  isJobTerminated,
  isJobTerminating,
  isRunPending,
  isRunSubmitted,
  isRunWaiting,
} from '@dstack/contract/status';
import { hasNoFleet, type Refusal, refusalText } from '@dstack/contract/wire';
import type { JobStatus, RunStatus } from '../model/names.ts';
import type { JobRecord, RunRecord } from '../model/records.ts';
import type { Id } from '../model/values.ts';
import { isJobWaiting, latestSubmissions } from './record-status.ts';

/** Text of `termination_reason_message` on the wire: the stored message, or the refusal. */
export function terminationText(
  job: Pick<JobRecord, 'terminationReason' | 'terminationMessage' | 'refusal'>,
): string | null {
  if (job.terminationMessage !== null) return job.terminationMessage;
  const isUnplaced = isCapacityReason(job.terminationReason) && job.refusal !== null;
  return isUnplaced && job.refusal ? refusalText(job.refusal) : null;
}

/** A job that has to leave its instance goes on until its Ctrl-C. */
const LEAVING = 'has to leave';

const STOP_STAGES: Readonly<Record<StopStage, string>> = {
  interrupt: 'Ctrl-C',
  terminate: 'SIGTERM',
  kill: 'SIGKILL',
};

/** The progress of a job's stop, or of the machine that it waits for. */
export type JobStage =
  | { readonly kind: 'stop'; readonly stage: StopStage }
  /** The name that the backend gives to the stage: `booting`. */
  | { readonly kind: 'machine'; readonly text: string };

/** Characters of a backend's text that fit into a table. */
const STAGE_LENGTH = 60;

/** The amount at its end stays: it is what changes. */
function shortened(text: string): string {
  if (text.length <= STAGE_LENGTH) return text;
  const amount = text.slice(withoutAmount(text).length);
  return `${text.slice(0, STAGE_LENGTH - 1 - amount.length)}…${amount}`;
}

/** `… (3 of 47 MB)`, as stages in which something is copied end. */
export const withoutAmount = (text: string): string => text.replace(/ \(\d+ of \d+ MB\)$/, '');

/**
 * A condition that a user should know in addition to the status: the host is unreachable, or the
 * stage of a wait.
 */
export function jobCondition(
  job: Pick<JobRecord, 'status' | 'disconnectedAt' | 'notice'>,
  stage: JobStage | null,
): string | null {
  if (isJobFinished(job.status)) return null;
  if (job.disconnectedAt !== null) return 'unreachable';
  if (stage?.kind === 'stop') return isJobTerminating(job.status) ? STOP_STAGES[stage.stage] : null;
  if (job.notice !== null && isJobRunning(job.status)) return LEAVING;
  return stage !== null && waitsForMachine(job.status) ? shortened(stage.text) : null;
}

/** Also while its creation is prepared, before the job is `provisioning`. */
const waitsForMachine = (status: JobStatus): boolean =>
  isJobProvisioning(status) || isJobSubmitted(status);

/** Text of `status_message` of a job submission on the wire; `stage` where it has one. */
export function jobStatusMessage(
  job: Pick<
    JobRecord,
    | 'status'
    | 'terminationReason'
    | 'refusal'
    | 'exitStatus'
    | 'hostFault'
    | 'disconnectedAt'
    | 'notice'
    | 'instanceId'
    | 'waitingSince'
    | 'reclaim'
  >,
  stage: JobStage | null = null,
): string {
  const waits = waitWord(job);
  if (waits !== null) return waits;
  if (isJobDone(job.status)) return 'exited (0)';
  if (isJobFailed(job.status)) return failedMessage(job);
  if (isJobTerminated(job.status) && job.terminationReason === 'terminated_by_user') {
    return 'stopped';
  }
  const condition = jobCondition(job, stage);
  return condition === null ? job.status : `${job.status} (${condition})`;
}

/** The word for what keeps a waiting job from its place; null = capacity alone, or it does not wait. */
function waitWord(
  job: Parameters<typeof isJobWaiting>[0] & Pick<JobRecord, 'reclaim' | 'refusal'>,
): WaitWord | null {
  if (!isJobWaiting(job)) return null;
  if (job.reclaim !== null) return 'preempting';
  if (job.refusal?.kind === 'quota') return 'quota';
  return job.refusal !== null && isInMaintenance(job.refusal) ? 'maintenance' : null;
}

/** In the order in which they are shown for a run whose jobs wait for different things. */
const WAIT_WORDS = ['preempting', 'quota', 'maintenance'] as const;
type WaitWord = (typeof WAIT_WORDS)[number];

/** Whether every fleet that could take it is in maintenance, or will be too soon. */
function isInMaintenance(refusal: Refusal): boolean {
  if (refusal.kind !== 'no-place') return false;
  const possible = refusal.fleets.filter(({ verdict }) => verdict === 'full');
  return (
    possible.length > 0 &&
    possible.every(
      ({ growth, pool }) =>
        growth?.rule === 'maintenance' || pool.some(({ rule }) => rule === 'maintenance'),
    )
  );
}

function failedMessage(
  job: Pick<JobRecord, 'terminationReason' | 'refusal' | 'exitStatus' | 'hostFault'>,
): string {
  switch (job.terminationReason) {
    case 'container_exited_with_error':
      // A job that could not be set up (its repository, for example) has failed without a process.
      return job.exitStatus === null ? 'error' : `exited (${job.exitStatus})`;
    case 'failed_to_start_due_to_no_capacity':
      if (job.hostFault !== null) return 'host failed';
      return job.refusal !== null && hasNoFleet(job.refusal) ? 'no fleets' : 'no capacity';
    case 'interrupted_by_no_capacity':
      return 'interrupted';
    default:
      return 'error';
  }
}

/**
 * Text of `run.status_message` on the wire: `held`, `dependency`, `pulling` and `retrying` are not statuses, and a
 * condition that holds for all of its jobs is shown for the run. `stages`: of stops under way, by
 * job id. `isArray`: the jobs are those of members, which wait for capacity as long as it takes; none is retried.
 */
export function runStatusMessage(
  run: Pick<RunRecord, 'status'> & Partial<Pick<RunRecord, 'hold' | 'dependencyState'>>,
  jobs: readonly JobRecord[],
  stages: Readonly<Record<Id, JobStage>> = {},
  isArray = false,
): string {
  if (run.hold && isRunWaiting(run.status)) return 'held';
  if (isRunPending(run.status) && awaitsOthers(run)) return 'dependency';
  if (jobs.length === 0) return run.status;
  const latest = latestSubmissions(jobs);
  const [condition, ...others] = new Set(
    latest.map((job) => jobCondition(job, stages[job.id] ?? null)),
  );
  const text = statusText(run, jobs, latest, isArray);
  return condition && others.length === 0 ? `${text} (${condition})` : text;
}

const awaitsOthers = ({ dependencyState: state }: Partial<RunRecord>): boolean =>
  state === 'open' || state === 'unmet';

function statusText(
  run: { readonly status: RunStatus },
  jobs: readonly JobRecord[],
  latest: readonly JobRecord[],
  isArray: boolean,
): string {
  if (latest.every((job) => isJobPulling(job.status))) return 'pulling';
  if (!isRunSubmitted(run.status) && !isRunPending(run.status)) return run.status;
  const words = new Set(latest.map(waitWord));
  const word = WAIT_WORDS.find((one) => words.has(one));
  if (word !== undefined) return word;
  const isRetrying = !isArray && latest.some((job) => isRetryingForCapacity(job, jobs));
  return isRetrying ? 'retrying' : run.status;
}

function isRetryingForCapacity(job: JobRecord, all: readonly JobRecord[]): boolean {
  if (isJobWaiting(job)) return true;
  if (!job.spec.retry?.on_events.includes('no-capacity')) return false;
  const withReason = all
    .filter((one) => one.replicaNum === job.replicaNum && one.jobNum === job.jobNum)
    .filter((one) => one.terminationReason !== null)
    .sort((a, b) => b.submissionNum - a.submissionNum);
  return isCapacityReason(withReason[0]?.terminationReason ?? null);
}
