/** Starts a job on its host and follows the reports of the agent. */

import { isSshUserName } from '@dstack/contract';
import { capabilitiesOf, isServerHost } from '../../capabilities/capabilities.ts';
import { occupyInstance } from '../../instances/index.ts';
import type {
  HostRecord,
  InstanceRecord,
  IntentRecord,
  JobRecord,
  JobReport,
  Timestamp,
} from '../../model/index.ts';
import {
  asJobReason,
  isInstanceAvailable,
  isInstanceProvisioning,
  isJobProvisioning,
  PULLING_LIMIT,
  provisioningTimeoutSeconds,
} from '../../status/index.ts';
import { silence, silenceDeadline } from '../../time/silence.ts';
import { capacityWait } from '../instance/engine-queue.ts';
import type { RunContext, RunPass } from '../run/run-pass.ts';
import { ROUTER_LIMIT, routerAddressFor } from '../service/router.ts';
import { endJob, exitIsSettled } from './end-job.ts';
import { isHeld, releaseFromHold } from './gang.ts';
import { putBack, startSucceeded } from './host-faults.ts';
import { leaveBeforeStart } from './notice.ts';
import { isLostBeforeStart } from './reachability.ts';
import { mountState } from './run-volumes.ts';

export function advanceStarting(pass: RunPass, waiting: JobRecord, instance: InstanceRecord): void {
  if (!hasBegun(pass.reportOf(waiting)) && leaveBeforeStart(pass, waiting)) return;
  const job = withAddressOf(pass, waiting, instance);
  const host = pass.hostOf(job);
  occupyInstance(pass.draft, instance, host);
  const report = pass.reportOf(job);
  const start = pass.draft.lastIntent('job.start', job.id);
  // Also after the agent's first report: a missing upload, for example, will never come.
  if (!hasBegun(report) && endIfRefused(pass, job, start)) return;
  if (report !== null) {
    followReport(pass, job, report, host);
    return;
  }
  if (isInstanceAvailable(instance.status) && isLostBeforeStart(pass, job)) {
    // Back to the queue, as after a start that failed because of the host.
    const message = `${instance.name} could not be reached when the job was to start`;
    endJob(pass, job, 'failed_to_start_due_to_no_capacity', { message, hostFault: 'unreachable' });
    return;
  }
  const router = routerAddressFor(pass.run, job, pass.latest);
  const routerUntil =
    router.kind === 'waiting' ? silenceDeadline(pass.ctx, router.since, ROUTER_LIMIT) : null;
  if (router.kind === 'ended' || (routerUntil !== null && pass.now >= routerUntil)) {
    const message = 'The router that the worker belongs to has no address';
    endJob(pass, job, 'terminated_by_server', { message });
    return;
  }
  if (routerUntil !== null) {
    pass.draft.dueAt(routerUntil);
    return;
  }
  const mayStartAt = router.kind === 'known' ? router.since : 0;
  const until = startDeadline(pass.ctx, { job, instance, from: mayStartAt });
  if (pass.now >= until) {
    const message = 'The agent of the instance did not accept the job in time';
    endJob(pass, job, 'waiting_runner_limit_exceeded', { message });
    return;
  }
  pass.draft.dueAt(until);
  if (start !== null) return;
  const mounts = mountState(pass, job);
  if (mounts.kind === 'failed') {
    endJob(pass, job, 'volume_error', { message: mounts.message });
    return;
  }
  if (mounts.kind === 'ready' && host?.connected && isInstanceAvailable(instance.status)) {
    pass.draft.announce(job.id, { kind: 'job.start', hold: isHeld(job) });
  }
}

/** Some backends report the address of a machine only after its order was accepted. */
function withAddressOf(pass: RunPass, job: JobRecord, { provisioningData }: InstanceRecord) {
  if (job.provisioningData?.hostname || !provisioningData?.hostname) return job;
  return pass.draft.jobs.set(job, { provisioningData });
}

/** The process was started, so the order has been carried out. */
function hasBegun(report: JobReport | null): boolean {
  return report?.state.phase === 'running' || report?.state.phase === 'exited';
}

/** Ends the job if its order was refused for good. */
function endIfRefused(pass: RunPass, job: JobRecord, order: IntentRecord | null): boolean {
  if (order?.state !== 'failed' && order?.result?.kind !== 'refused') return false;
  const refused = order.result?.kind === 'refused' ? order.result : null;
  const reason = asJobReason(refused?.reason ?? null) ?? 'executor_error';
  endJob(pass, job, reason, { message: refused?.message ?? order.error });
  return true;
}

/** Seconds: the pass of an instance in a queue reports why it is given up, so that of its job waits for it. */
const INSTANCE_MARGIN = 60;

export interface StartingJob {
  readonly job: JobRecord;
  readonly instance: InstanceRecord;
  /** It may not start earlier. */
  readonly from: Timestamp;
}

/** When a job that its agent has not accepted is given up. */
export function startDeadline(
  ctx: Pick<RunContext, 'unobserved'>,
  { job, instance, from }: StartingJob,
): Timestamp {
  const type = job.provisioningData?.instance_type.name ?? '';
  const limit = provisioningTimeoutSeconds(instance.backend, type);
  const since = Math.max(job.provisionedAt ?? job.statusChangedAt, from);
  if (!capabilitiesOf(instance.backend).ownQueue) {
    return silenceDeadline(ctx, since, silence(limit));
  }
  // The pass of the instance ends one that has left the queue, or has waited for too long, earlier.
  if (isInstanceProvisioning(instance.status)) {
    return silenceDeadline(ctx, since, silence(limit + capacityWait(job) + INSTANCE_MARGIN));
  }
  return silenceDeadline(ctx, Math.max(since, instance.statusChangedAt), silence(limit));
}

function followReport(
  pass: RunPass,
  job: JobRecord,
  report: JobReport,
  host: HostRecord | null,
): void {
  const { phase, exit } = report.state;
  const known = noteAddress(pass, job, report);
  if (phase === 'exited' && (exit === null || exit.status === null)) {
    if (exitIsSettled(pass, known)) endByExit(pass, known, report);
    return;
  }
  if (isJobProvisioning(known.status) && host?.executor === 'docker') {
    pass.moveJob(known, 'pulling');
    return;
  }
  if (phase === 'running' || phase === 'exited') {
    beginRunning(pass, known);
    return;
  }
  if (phase === 'held') {
    if (endIfRefused(pass, known, pass.draft.lastIntent('job.release', known.id))) return;
    releaseFromHold(pass, known);
  }
  const until = silenceDeadline(pass.ctx, known.statusChangedAt, PULLING_LIMIT);
  if (pass.now < until) pass.draft.dueAt(until);
  else {
    const message = 'The job was not started within two hours of its deployment';
    endJob(pass, known, 'creating_container_error', { message });
  }
}

/** Ports, user and directory as the agent reports them; they may change when the agent restarts. */
export function noteAddress(pass: RunPass, job: JobRecord, report: JobReport): JobRecord {
  const { ssh_port, working_dir, username } = report.state;
  const { provisioningData, runtimeData } = job;
  const ownPort = provisioningData !== null && isServerHost(provisioningData.backend);
  return pass.draft.jobs.set(job, {
    provisioningData:
      ownPort && ssh_port !== null ? { ...provisioningData, ssh_port } : provisioningData,
    runtimeData: runtimeData && {
      ...runtimeData,
      ports: ssh_port === null ? runtimeData.ports : { ...runtimeData.ports, '10022': ssh_port },
      working_dir: working_dir ?? runtimeData.working_dir,
      // The name comes from the image's files; ignore it if no client could log in with it.
      username: username && isSshUserName(username) ? username : runtimeData.username,
    },
  });
}

/** A replica without probes takes requests as soon as its process runs. */
function beginRunning(pass: RunPass, job: JobRecord): void {
  const serves = job.jobNum === 0 && pass.run.spec.configuration.type === 'service';
  const ready = serves && (job.spec.probes ?? []).length === 0;
  startSucceeded(pass, job);
  pass.moveJob(job, 'running', {
    runningAt: pass.now,
    disconnectedAt: null,
    ready: ready || job.ready,
  });
}

/** The process has ended by itself, or never started. */
export function endByExit(pass: RunPass, job: JobRecord, report: JobReport): void {
  const exit = report.state.exit;
  const status = exit?.status ?? null;
  const hostFault = exit?.host_fault ?? null;
  if (hostFault !== null && putBack(pass, job, { hostFault, message: exit?.message ?? null }))
    return;
  const named = asJobReason(exit?.reason ?? null);
  const fallback =
    status === null
      ? 'executor_error'
      : status === 0
        ? 'done_by_runner'
        : 'container_exited_with_error';
  endJob(pass, job, named ?? fallback, {
    message: exit?.message ?? (status === null && named === null ? exit?.reason : null),
    exitStatus: status,
    hostFault,
  });
}
