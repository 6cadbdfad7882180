/** The only places where a reconciler changes a status: checked by the table, told by an event. */
import type {
  FleetRecord,
  FleetStatus,
  InstanceRecord,
  InstanceStatus,
  JobRecord,
  JobStatus,
} from '../model/index.ts';
import {
  assertTransition,
  FLEET_TRANSITIONS,
  INSTANCE_TRANSITIONS,
  isInstanceTerminated,
  isJobFinished,
  JOB_TRANSITIONS,
} from '../status/index.ts';
import type { Draft } from './draft.ts';
import { fleetStatusEvent, instanceStatusEvent, jobStatusEvent } from './events.ts';

export function moveJob(
  draft: Draft,
  job: JobRecord,
  status: JobStatus,
  patch: Partial<JobRecord> = {},
): JobRecord {
  assertTransition('job', JOB_TRANSITIONS, job.status, status);
  const finishedAt = isJobFinished(status) ? draft.now : job.finishedAt;
  const moved = draft.jobs.set(job, { finishedAt, ...patch, status, statusChangedAt: draft.now });
  draft.event(jobStatusEvent(job.status, moved));
  return moved;
}

export function moveInstance(
  draft: Draft,
  instance: InstanceRecord,
  status: InstanceStatus,
  patch: Partial<InstanceRecord> = {},
): InstanceRecord {
  assertTransition('instance', INSTANCE_TRANSITIONS, instance.status, status);
  const finishedAt = isInstanceTerminated(status) ? draft.now : instance.finishedAt;
  const moved = draft.instances.set(instance, {
    finishedAt,
    ...patch,
    status,
    statusChangedAt: draft.now,
  });
  draft.event(instanceStatusEvent(instance.status, moved));
  return moved;
}

export function moveFleet(
  draft: Draft,
  fleet: FleetRecord,
  status: FleetStatus,
  patch: Partial<FleetRecord> = {},
): FleetRecord {
  assertTransition('fleet', FLEET_TRANSITIONS, fleet.status, status);
  const moved = draft.fleets.set(fleet, { ...patch, status });
  draft.event(fleetStatusEvent(fleet.status, moved));
  return moved;
}
