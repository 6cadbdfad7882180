/**
 * The only functions that change the status of jobs and fleets: they check the transition table and
 * write the event. For instances see `../instances`.
 */
import type { Draft } from '../draft/draft.ts';
import { fleetStatusEvent, jobStatusEvent } from '../events/events.ts';
import type { FleetRecord, FleetStatus, JobRecord, JobStatus } from '../model/index.ts';
import {
  assertTransition,
  FLEET_TRANSITIONS,
  isJobFinished,
  JOB_TRANSITIONS,
} from '../status/index.ts';

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
