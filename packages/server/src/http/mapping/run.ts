import {
  formatOptionalTimestamp,
  formatTimestamp,
  type RolloutState,
  type Run,
  type RunArray,
  type RunMember,
  type ServiceSpec,
} from '@dstack/contract/wire';
import {
  type ArrayRecord,
  type JobRecord,
  type RolloutRecord,
  type RunRecord,
  runError,
  runStatusMessage,
} from '@dstack/core';
import { originUrl } from '@dstack/proxy';
import type { RunView } from '@dstack/store';
import { dollarsOf } from '../cost/cost-rows.ts';
import { perRecord } from '../kept-parts.ts';
import { wireJob } from './job.ts';
import type { RunShape } from './run-shape.ts';

export function wireRun(view: RunView, shape: RunShape): Run {
  const { run, jobs } = view;
  const all = byJob(jobs).map((submissions) => wireJob(submissions, view, shape));
  const isBare = shape.submissions === false;
  const grouped = isBare ? all.map((job) => ({ ...job, job_submissions: [] })) : all;
  return {
    id: run.id,
    project_name: view.projectName,
    user: view.userName,
    fleet: view.fleet,
    submitted_at: formatTimestamp(run.submittedAt),
    last_processed_at: formatTimestamp(run.lastProcessedAt),
    status: run.status,
    status_message: runStatusMessage(run, jobs, view.stages, view.array !== undefined),
    termination_reason: run.terminationReason,
    run_spec: wireRunSpec(run.spec),
    jobs: grouped,
    latest_job_submission: grouped[0]?.job_submissions.at(-1) ?? null,
    cost: isBare ? 0 : dollarsOf(view.cost),
    service: wireService(run, shape),
    deployment_num: run.deploymentNum,
    ...(run.rollout !== null && { rollout: wireRollout(run.rollout) }),
    ...(run.hold !== null && {
      hold: { by: run.hold.by, since: formatTimestamp(run.hold.since) },
    }),
    ...(view.array !== undefined && { array: wireArray(view.array) }),
    ...(run.arrayIndex !== null && { member: wireMember(run.name, run.arrayIndex) }),
    error: runError(run.terminationReason),
    deleted: run.deleted,
    // Clients of 0.22.5 show it as the start of the run, and a held one does not start then.
    next_triggered_at: formatOptionalTimestamp(run.hold === null ? run.nextTriggeredAt : null),
  };
}

/** A service without a gateway has the address that the settings give it now. */
function wireService(
  { id, name, gatewayId, serviceSpec }: RunRecord,
  { origins }: RunShape,
): ServiceSpec | null {
  if (serviceSpec === null || gatewayId !== null || origins === null) return serviceSpec;
  return { ...serviceSpec, url: `${originUrl(origins, { id, name })}/` };
}

const wireRollout = (rollout: RolloutRecord): RolloutState => ({
  deployment_num: rollout.deploymentNum,
  status: rollout.status,
  ready: rollout.ready,
  previous_deployment_num: rollout.previous?.deploymentNum ?? null,
  message: rollout.message,
});

const wireArray = ({ total, maxParallel, maxFailures, members }: ArrayRecord): RunArray => ({
  total,
  max_parallel: maxParallel,
  max_failures: maxFailures,
  members: { ...members },
});

const wireMember = (name: string, index: number): RunMember => ({
  array: name.slice(0, -`-${index}`.length),
  index,
});

const wireRunSpec = perRecord((spec: RunRecord['spec']) => spec);

/** Submissions of each job, in the order of the API: by replica, job and submission number. */
function byJob(jobs: readonly JobRecord[]): JobRecord[][] {
  const groups = new Map<string, JobRecord[]>();
  for (const job of jobs) {
    const key = `${job.replicaNum}/${job.jobNum}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [job]);
    else group.push(job);
  }
  return [...groups.values()];
}
