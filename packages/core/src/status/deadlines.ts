/**
 * Deadlines of the passing statuses, and delays between attempts; in µs unless stated otherwise. What ends for want of an answer
 * has a `SilenceLimit`.
 */

import { capabilitiesOf } from '../capabilities/capabilities.ts';
import type { DecisionContext } from '../model/index.ts';
import type { JobRecord } from '../model/records.ts';
import { type BackendName, SECOND, type Timestamp } from '../model/values.ts';
import { silence, silenceDeadline } from '../time/silence.ts';
import { graceSeconds } from './notices.ts';

// Jobs. `provisioning` has the deadline of its machine.

/**
 * For the creation of a machine over all offers. A machine that appears later belongs to its fleet.
 */
export const CREATE_LIMIT = silence(3600);

/**
 * From the agent's first report to the running process. Agents give up a pull much earlier by
 * themselves; this limit is for an agent that stops reporting although its host is connected.
 */
export const PULLING_LIMIT = silence(2 * 3600);

/** Seconds: the server ends a job at its `max_duration` this long after its agent should have killed it. */
export const MAX_DURATION_MARGIN = 120;

/** A log that cannot be stored delays a job's end by no more than this; it is stored later. */
export const LOG_WAIT = silence(300);

/** Seconds between the end of `stop_duration`, when the agent kills, and the server's own kill. */
export const STOP_MARGIN = 10;

/**
 * A job ends this long after its kill was ordered, even without an answer; its removal stays
 * ordered.
 */
export const KILL_SECONDS = 30;
export const KILL_LIMIT = silence(KILL_SECONDS);

/** A host counts as disconnected only after this: short breaks of a link are not reported. */
export const DISCONNECT_GRACE = silence(5);

/** How long a run waits for a host whose connection was lost moments ago, even without `retry`. */
export const RECONNECT_LIMIT = silence(60);

/**
 * How long a run waits for the passes of other servers when the machine of the one whose pass refuses it is full, even without
 * `retry`: a pass may wait for the lease of a server that has died (9 s).
 */
export const OTHER_SERVERS_LIMIT = silence(15);

/**
 * When a job that was asked to end is killed. Null = never: the user has set `stop_duration: off`,
 * so only the process itself, an abort or the loss of its host ends it.
 */
export function killDeadline(
  ctx: Pick<DecisionContext, 'unobserved'>,
  job: Pick<JobRecord, 'stopRequestedAt' | 'stopGraceful' | 'spec' | 'notice'>,
): Timestamp | null {
  if (job.stopRequestedAt === null) return null;
  if (!job.stopGraceful) return job.stopRequestedAt;
  const seconds = job.spec.stop_duration ?? null;
  const own =
    seconds === null
      ? null
      : silenceDeadline(ctx, job.stopRequestedAt, silence(seconds + STOP_MARGIN));
  if (job.notice === null) return own;
  // A stop that begins late, or by a clock that was set ahead, leaves the process the grace of the notice.
  const grace = silence(graceSeconds(job.notice) + STOP_MARGIN);
  const end = silenceDeadline(ctx, job.stopRequestedAt, grace);
  return Math.min(own ?? Infinity, Math.max(job.notice.endsAt + STOP_MARGIN * SECOND, end));
}

// Instances.

/** Its machines may be unreachable for a while without a loss. */
export const isPatientBackend = (backend: BackendName | null): boolean =>
  capabilitiesOf(backend).jobsOutliveSilence;

/** From the order of a machine to the first connection of its agent, in seconds (dstack 0.22.5). */
export function provisioningTimeoutSeconds(
  backend: BackendName | null,
  instanceType: string,
): number {
  return capabilitiesOf(backend).provisioningSeconds(instanceType);
}

/** An SSH host is given up if its agent was not installed this long after it was added. */
export const HOST_ADD_LIMIT = silence(600);

/** The server waits no longer than this for the removal of the agent from an SSH host. */
export const HOST_REMOVE_LIMIT = silence(120);

/** How long after the removal of its backend the termination of a machine is retried. */
export const BACKEND_MISSING_LIMIT = silence(900);

/** A cloud machine that has been unreachable for this long is terminated. */
export const UNREACHABLE_LIMIT = silence(1200);

/** A planned machine without any answer is examined again after this. */
export const CREATE_NUDGE = 600 * SECOND;

/**
 * Delays between orders to terminate a machine that its backend did not terminate; the last one
 * repeats.
 */
const TERMINATE_DELAYS = [30, 30, 60, 120, 300, 600] as const;

/** Wait after the given failed attempt (from 0), µs. */
export function terminateDelay(attempt: number): number {
  const index = Math.min(attempt, TERMINATE_DELAYS.length - 1);
  return (TERMINATE_DELAYS[index] ?? 600) * SECOND;
}

/** Seconds an instance may be idle by default: created for a run, created for a fleet. */
export const DEFAULT_IDLE_FOR_RUN = 300;
export const DEFAULT_IDLE_FOR_FLEET = 72 * 3600;

// Fleets.

/**
 * Consolidation gives up after this many attempts without success; an update of the fleet resumes
 * it.
 */
export const MAX_CONSOLIDATION_ATTEMPTS = 15;

const CONSOLIDATION_DELAYS = [60, 120, 300, 600, 1800] as const;

/** Wait before the given attempt (from 0), µs. */
export function consolidationDelay(attempt: number): number {
  const index = Math.min(attempt, CONSOLIDATION_DELAYS.length - 1);
  return (CONSOLIDATION_DELAYS[index] ?? 1800) * SECOND;
}

// Volumes and gateways.

/** A volume fails if its backend has not accepted its order by then. */
export const VOLUME_CREATE_LIMIT = silence(600);

/** A volume fails if its backend has not created it by then. */
export const VOLUME_PROVISION_LIMIT = silence(1200);

/** From the order of a replica's machine until it serves. */
export const GATEWAY_PROVISION_LIMIT = silence(1800);
