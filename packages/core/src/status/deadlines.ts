/** Deadlines of the passing statuses, and waits between attempts; in µs where nothing else is said. */

import { type BackendName, type JobRecord, SECOND, type Timestamp } from '../model/records.ts';
import { capabilitiesOf } from '../offers/capabilities.ts';

// Jobs. `provisioning` has the deadline of its machine.

/** Making a machine, all offers together; a later machine belongs to its fleet. */
export const CREATE_LIMIT = 3600 * SECOND;

/**
 * From the agent's first word to the running process. Agents give a pull up on their own, and far
 * sooner; this is for one that never says anything again though its host is connected.
 */
export const PULLING_LIMIT = 2 * 3600 * SECOND;

/** An agent enforces `max_duration`; this long after it the server does. */
export const MAX_DURATION_MARGIN = 120 * SECOND;

/** A log that cannot be stored holds a job's end up no longer than this; it follows later. */
export const LOG_WAIT = 300 * SECOND;

/** Between the end of `stop_duration`, at which the agent kills, and the server's own kill. */
export const STOP_MARGIN = 10 * SECOND;

/** After a kill was ordered the job ends, answered or not; its removal stays ordered. */
export const KILL_LIMIT = 30 * SECOND;

/** A host is missed only after this: short breaks of a link are nothing to tell. */
export const DISCONNECT_GRACE = 5 * SECOND;

/**
 * When a job that was asked to end is killed. Null = never by time: the user has set
 * `stop_duration: off`; then only the process, an abort or the loss of its host ends it.
 */
export function killDeadline(
  job: Pick<JobRecord, 'stopRequestedAt' | 'stopGraceful' | 'spec'>,
): Timestamp | null {
  if (job.stopRequestedAt === null) return null;
  if (!job.stopGraceful) return job.stopRequestedAt;
  const seconds = job.spec.stop_duration ?? null;
  return seconds === null ? null : job.stopRequestedAt + seconds * SECOND + STOP_MARGIN;
}

// Instances.

/** Machines that nobody is charged for by the hour: their loss for a while costs nothing. */
export const isPatientBackend = (backend: BackendName | null): boolean =>
  capabilitiesOf(backend).owner !== 'provider';

/** From the order of a machine to the first connection of its agent, in seconds (dstack 0.22.5). */
export function provisioningTimeoutSeconds(
  backend: BackendName | null,
  instanceType: string,
): number {
  return capabilitiesOf(backend).provisioningSeconds(instanceType);
}

/** A host of one's own is given up when it was not added this long after it was named. */
export const HOST_ADD_LIMIT = 600 * SECOND;

/** Taking the agent off a host of one's own is waited for no longer than this. */
export const HOST_REMOVE_LIMIT = 120 * SECOND;

/** How long after the removal of its backend the termination of a machine is retried. */
export const BACKEND_MISSING_LIMIT = 900 * SECOND;

/** A cloud machine out of reach for this long is ended. */
export const UNREACHABLE_LIMIT = 1200 * SECOND;

/** A planned machine without any answer is looked at again after this. */
export const CREATE_NUDGE = 600 * SECOND;

/** Waits between orders to end a machine that the backend did not obey; the last one for ever. */
const TERMINATE_DELAYS = [30, 30, 60, 120, 300, 600] as const;

/** Wait after the given failed attempt (from 0), µs. */
export function terminateDelay(attempt: number): number {
  const index = Math.min(attempt, TERMINATE_DELAYS.length - 1);
  return (TERMINATE_DELAYS[index] ?? 600) * SECOND;
}

/** Seconds an instance may be idle when nobody said anything: made for a run, made for a fleet. */
export const DEFAULT_IDLE_FOR_RUN = 300;
export const DEFAULT_IDLE_FOR_FLEET = 72 * 3600;

// Fleets.

/** Consolidation gives up after this many fruitless attempts; an update of the fleet resumes it. */
export const MAX_CONSOLIDATION_ATTEMPTS = 15;

const CONSOLIDATION_DELAYS = [60, 120, 300, 600, 1800] as const;

/** Wait before the given attempt (from 0), µs. */
export function consolidationDelay(attempt: number): number {
  const index = Math.min(attempt, CONSOLIDATION_DELAYS.length - 1);
  return (CONSOLIDATION_DELAYS[index] ?? 1800) * SECOND;
}

// Volumes and gateways.

/** A backend that has not taken the order of a volume by then has failed. */
export const VOLUME_CREATE_LIMIT = 600 * SECOND;

/** A backend that has not made a volume by then has failed. */
export const VOLUME_PROVISION_LIMIT = 1200 * SECOND;

/** 30 attempts of 10 s to reach a new machine, then 50 of 3 s to configure it, µs. */
export const GATEWAY_CONNECT_LIMIT = 300 * SECOND;
export const GATEWAY_CONFIGURE_LIMIT = 150 * SECOND;
/** Making the replicas' machines and all of the above. */
export const GATEWAY_PROVISION_LIMIT = 1800 * SECOND;
