/** Targets of events, and the events that several places record. Texts are in `event-message.ts`. */
import type { EventData } from '@dstack/contract/wire';
import type {
  EventActor,
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
import { recordEvent } from './record-event.ts';

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

export const userTarget = (user: {
  readonly id: Id;
  readonly name: string;
}): EventTargetRecord => ({
  type: 'user',
  id: user.id,
  name: user.name,
  projectId: null,
  parentId: null,
});

export const secretTarget = (secret: {
  readonly id: Id;
  readonly name: string;
  readonly projectId: Id;
}): EventTargetRecord => ({
  type: 'secret',
  id: secret.id,
  name: secret.name,
  projectId: secret.projectId,
  parentId: null,
});

/**
 * `actor`: who requested the stop; null = the server. `run` is the record after the change.
 * The event contains the reason only if the new status is an ending one.
 */
export function runStatusEvent(
  from: RunStatus,
  run: RunRecord,
  actor: EventActor | null = null,
): NewEvent {
  const reason = isRunTerminating(run.status) ? run.terminationReason : null;
  return recordEvent({
    action: 'run.status_changed',
    data: { from, to: run.status, reason, message: null },
    ...{ targets: [runTarget(run)], actor },
  });
}

export function jobStatusEvent(from: JobStatus, job: JobRecord): NewEvent {
  const ends = isJobTerminating(job.status);
  const reason = ends ? job.terminationReason : null;
  const message = reason === null ? null : terminationText(job);
  return recordEvent({
    action: 'job.status_changed',
    data: { from, to: job.status, reason, message },
    targets: [jobTarget(job)],
  });
}

export function instanceStatusEvent(
  from: InstanceStatus,
  instance: InstanceRecord,
  actor: EventActor | null = null,
): NewEvent {
  const ends =
    isInstanceTerminating(instance.status) ||
    (isInstanceTerminated(instance.status) && !isInstanceTerminating(from));
  const reason = ends ? instance.terminationReason : null;
  const message = reason === null ? null : instance.terminationMessage;
  return recordEvent({
    action: 'instance.status_changed',
    data: { from, to: instance.status, reason, message },
    ...{ targets: [instanceTarget(instance)], actor },
  });
}

/** The instance as it is after the change. */
export function instanceHealthEvent(from: HealthStatus, instance: InstanceRecord): NewEvent {
  const { health: to, healthMessage: message } = instance;
  return recordEvent({
    action: 'instance.health_changed',
    data: { from, to, message },
    targets: [instanceTarget(instance)],
  });
}

export function fleetStatusEvent(
  from: FleetStatus,
  fleet: FleetRecord,
  actor: EventActor | null = null,
): NewEvent {
  return recordEvent({
    action: 'fleet.status_changed',
    data: { from, to: fleet.status, message: fleet.statusMessage },
    ...{ targets: [fleetTarget(fleet)], actor },
  });
}

export function jobCreatedEvent(
  job: JobRecord,
  on: 'run submission' | 'new submission' | 'retry',
): NewEvent {
  const data = { on, status: job.status };
  return recordEvent({ action: 'job.created', data, targets: [jobTarget(job)] });
}

const blocks = (instance: InstanceRecord) => ({
  busy_blocks: instance.busyBlocks,
  total_blocks: instance.totalBlocks ?? 1,
});

export function jobAssignedEvent(job: JobRecord, instance: InstanceRecord): NewEvent {
  const targets = [jobTarget(job), instanceTarget(instance)];
  return recordEvent({ action: 'job.assigned', data: blocks(instance), targets });
}

/** A replica gets no requests for a while. */
export function replicaAvoidedEvent(
  job: JobRecord,
  data: EventData['job.replica_avoided'],
): NewEvent {
  return recordEvent({ action: 'job.replica_avoided', data, targets: [jobTarget(job)] });
}

export function jobUnassignedEvent(job: JobRecord, instance: InstanceRecord): NewEvent {
  const targets = [jobTarget(job), instanceTarget(instance)];
  return recordEvent({ action: 'job.unassigned', data: blocks(instance), targets });
}

export function instanceProvisionedEvent(instance: InstanceRecord, job: JobRecord): NewEvent {
  return recordEvent({
    action: 'instance.provisioned',
    data: { status: instance.status },
    targets: [instanceTarget(instance), jobTarget(job)],
  });
}
