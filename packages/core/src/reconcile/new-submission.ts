import type { JobSpec } from '@dstack/contract/wire';
import type { Id, JobRecord, RunRecord, Timestamp } from '../model/index.ts';

export interface NewSubmission {
  readonly id: Id;
  readonly now: Timestamp;
  readonly replicaNum: number;
  readonly submissionNum: number;
}

/** A job submission at its beginning: it waits to be placed. */
export function newSubmission(run: RunRecord, spec: JobSpec, place: NewSubmission): JobRecord {
  const { id, now, replicaNum, submissionNum } = place;
  return {
    id,
    runId: run.id,
    projectId: run.projectId,
    jobNum: spec.job_num,
    replicaNum,
    submissionNum,
    deploymentNum: run.deploymentNum,
    name: spec.job_name,
    spec,
    status: 'submitted',
    terminationReason: null,
    terminationMessage: null,
    exitStatus: null,
    instanceId: null,
    claimedBlocks: 0,
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
  };
}
