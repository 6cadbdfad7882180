import type { JobSpec } from '@dstack/contract/wire';
import type { Id, JobRecord, RunRecord, Timestamp } from '../../model/index.ts';
import { demandOf, timeLimitOf } from '../../placement/gang-request.ts';
import { eligibleSince } from '../../run-spec/eligible-since.ts';

export interface NewSubmissions {
  readonly newId: () => Id;
  readonly now: Timestamp;
  readonly replicaNum: number;
  /** Failed submissions of the replica in a row before this one. */
  readonly attempt?: number;
  /** Submissions of the replica that were interrupted before this one. */
  readonly resumeCount?: number;
  /** Number of the new submission of a job; 0 if it is the first. */
  readonly submissionNum?: (jobNum: number) => number;
}

/** The jobs of one replica when they are submitted: they wait to be placed together. */
export function newSubmissions(
  run: RunRecord,
  specs: readonly JobSpec[],
  { newId, now, replicaNum, attempt = 0, resumeCount = 0, submissionNum = () => 0 }: NewSubmissions,
): JobRecord[] {
  const demand = demandOf(run, specs);
  return specs.map((spec) => ({
    id: newId(),
    runId: run.id,
    projectId: run.projectId,
    jobNum: spec.job_num,
    replicaNum,
    submissionNum: submissionNum(spec.job_num),
    deploymentNum: run.deploymentNum,
    name: spec.job_name,
    spec,
    status: 'submitted',
    terminationReason: null,
    terminationMessage: null,
    exitStatus: null,
    hostFault: null,
    notice: null,
    refusal: null,
    waitingSince: null,
    reserved: null,
    timeLimit: timeLimitOf(spec),
    demand,
    priority: run.priority,
    queuedAt: eligibleSince(run),
    attempt,
    resumeCount,
    instanceId: null,
    claimedBlocks: 0,
    charge: null,
    eviction: null,
    reclaim: null,
    provisioningData: null,
    runtimeData: null,
    submittedAt: now,
    provisionedAt: null,
    runningAt: null,
    finishedAt: null,
    statusChangedAt: now,
    stopRequestedAt: null,
    stopGraceful: false,
    disconnectedAt: null,
    inactivitySecs: null,
    registered: false,
    ready: false,
    version: 0,
  }));
}
