/** Texts and targets of events. The wording is the audit format of dstack 0.22.5: keep it. */
import type {
  EventTargetRecord,
  FleetRecord,
  FleetStatus,
  GatewayRecord,
  GatewayReplicaRecord,
  HealthStatus,
  Id,
  InstanceRecord,
  InstanceStatus,
  JobRecord,
  JobStatus,
  NewEvent,
  RunRecord,
  RunStatus,
  VolumeRecord,
} from '../model/index.ts';
import {
  isInstanceTerminated,
  isInstanceTerminating,
  isJobTerminating,
  isRunTerminating,
  terminationText,
} from '../status/index.ts';

export const runTarget = (run: RunRecord): EventTargetRecord => ({
  type: 'run',
  id: run.id,
  name: run.name,
  projectId: run.projectId,
  parentId: run.id,
});

export const jobTarget = (job: JobRecord): EventTargetRecord => ({
  type: 'job',
  id: job.id,
  name: job.name,
  projectId: job.projectId,
  parentId: job.runId,
});

export const instanceTarget = (instance: InstanceRecord): EventTargetRecord => ({
  type: 'instance',
  id: instance.id,
  name: instance.name,
  projectId: instance.projectId,
  parentId: instance.fleetId,
});

export const fleetTarget = (fleet: FleetRecord): EventTargetRecord => ({
  type: 'fleet',
  id: fleet.id,
  name: fleet.name,
  projectId: fleet.projectId,
  parentId: fleet.id,
});

export const volumeTarget = (volume: VolumeRecord): EventTargetRecord => ({
  type: 'volume',
  id: volume.id,
  name: volume.name,
  projectId: volume.projectId,
  parentId: null,
});

export const gatewayTarget = (
  gateway: Pick<GatewayRecord, 'id' | 'name' | 'projectId'>,
): EventTargetRecord => ({
  type: 'gateway',
  id: gateway.id,
  name: gateway.name,
  projectId: gateway.projectId,
  parentId: gateway.id,
});

export const gatewayReplicaTarget = (
  gateway: GatewayRecord,
  { id, replicaNum }: GatewayReplicaRecord,
): EventTargetRecord => ({
  type: 'gateway-replica',
  id,
  name: `${gateway.name}-${replicaNum}`,
  projectId: gateway.projectId,
  parentId: gateway.id,
});

export const projectTarget = (project: {
  readonly id: Id;
  readonly name: string;
}): EventTargetRecord => ({
  type: 'project',
  id: project.id,
  name: project.name,
  projectId: project.id,
  parentId: null,
});

/** Event texts contain no line breaks and do not end with a dot. */
export function newEvent(
  message: string,
  targets: readonly EventTargetRecord[],
  actorUserId: Id | null = null,
): NewEvent {
  const lines = message.split('\n').map((line) => line.trim());
  const text = lines.filter((line) => line !== '').join(' ');
  return { message: text.replace(/\.$/, ''), actorUserId, targets };
}

type AnyStatus = RunStatus | JobStatus | InstanceStatus | FleetStatus;

function statusChange(
  what: 'Run' | 'Job' | 'Instance' | 'Fleet',
  from: AnyStatus,
  to: AnyStatus,
  reason: string | null,
  message: string | null,
): string {
  const change = `${what} status changed ${from.toUpperCase()} -> ${to.toUpperCase()}`;
  if (reason === null) return change;
  const why = message === null || message === '' ? '' : ` (${message})`;
  return `${change}. Termination reason: ${reason.toUpperCase()}${why}`;
}

/**
 * `actorUserId`: who requested the stop; null = the system. `run` is the record after the change.
 * The event contains the reason only if the new status is an ending one.
 */
export function runStatusEvent(
  from: RunStatus,
  run: RunRecord,
  actorUserId: Id | null = null,
): NewEvent {
  const reason = isRunTerminating(run.status) ? run.terminationReason : null;
  const text = statusChange('Run', from, run.status, reason, null);
  return newEvent(text, [runTarget(run)], actorUserId);
}

export function jobStatusEvent(from: JobStatus, job: JobRecord): NewEvent {
  const ends = isJobTerminating(job.status);
  const text = statusChange(
    'Job',
    from,
    job.status,
    ends ? job.terminationReason : null,
    ends ? terminationText(job) : null,
  );
  return newEvent(text, [jobTarget(job)]);
}

export function instanceStatusEvent(
  from: InstanceStatus,
  instance: InstanceRecord,
  actorUserId: Id | null = null,
): NewEvent {
  const ends =
    isInstanceTerminating(instance.status) ||
    (isInstanceTerminated(instance.status) && !isInstanceTerminating(from));
  const text = statusChange(
    'Instance',
    from,
    instance.status,
    ends ? instance.terminationReason : null,
    ends ? instance.terminationMessage : null,
  );
  return newEvent(text, [instanceTarget(instance)], actorUserId);
}

/** The instance as it is after the change. */
export function instanceHealthEvent(from: HealthStatus, instance: InstanceRecord): NewEvent {
  const { health, healthMessage } = instance;
  const why = healthMessage === null ? '' : ` (${healthMessage})`;
  const text = `Instance health changed ${from.toUpperCase()} -> ${health.toUpperCase()}${why}`;
  return newEvent(text, [instanceTarget(instance)]);
}

export function fleetStatusEvent(from: FleetStatus, fleet: FleetRecord): NewEvent {
  const why = fleet.statusMessage === null ? '' : ` (${fleet.statusMessage})`;
  return newEvent(`${statusChange('Fleet', from, fleet.status, null, null)}${why}`, [
    fleetTarget(fleet),
  ]);
}

export function jobCreatedEvent(
  job: JobRecord,
  when: 'run submission' | 'new submission' | 'retry',
): NewEvent {
  return newEvent(`Job created on ${when}. Status: ${job.status.toUpperCase()}`, [jobTarget(job)]);
}

const blocks = (instance: InstanceRecord): string =>
  `Instance blocks: ${instance.busyBlocks}/${instance.totalBlocks ?? 1} busy`;

export function jobAssignedEvent(job: JobRecord, instance: InstanceRecord): NewEvent {
  const targets = [jobTarget(job), instanceTarget(instance)];
  return newEvent(`Job assigned to instance. ${blocks(instance)}`, targets);
}

export function jobUnassignedEvent(job: JobRecord, instance: InstanceRecord): NewEvent {
  const targets = [jobTarget(job), instanceTarget(instance)];
  return newEvent(`Job unassigned from instance. ${blocks(instance)}`, targets);
}

export function instanceProvisionedEvent(instance: InstanceRecord, job: JobRecord): NewEvent {
  const text = `Instance provisioned for job. Instance status: ${instance.status.toUpperCase()}`;
  return newEvent(text, [instanceTarget(instance), jobTarget(job)]);
}
