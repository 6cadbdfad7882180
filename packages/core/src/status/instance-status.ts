/**
 * The status of a machine, or of one that is planned.
 *
 *   pending ──► provisioning ──► idle ◄──► busy
 *     │  └──(SSH host)────────────►│         │
 *     │               │            │         │
 *     │               └────────────┴─────────┴──► terminating ──► terminated
 *     └── no offer, never added ─────────────────────────────────────►┘
 *
 * `pending` with `provisioningJobId` is a placeholder: its job's machine is being made; it is removed
 * without a trace if that fails. `terminating` is never left without the backend's answer, however
 * often it has to be asked: a machine that nobody ends costs money. Only where the backend itself
 * was removed nobody can be asked; the instance then ends with an alarm that names the machine.
 */
import type { InstanceStatus } from '../model/names.ts';
import { type BackendName, type InstanceRecord, SECOND } from '../model/records.ts';
import { capabilitiesOf } from '../offers/capabilities.ts';
import type { Transitions } from './transitions.ts';

export const INSTANCE_TRANSITIONS: Transitions<InstanceStatus> = {
  pending: ['provisioning', 'idle', 'terminating', 'terminated'],
  provisioning: ['idle', 'busy', 'terminating'],
  idle: ['busy', 'terminating'],
  busy: ['idle', 'terminating'],
  terminating: ['terminated'],
  terminated: [],
};

export const isInstancePending = (status: InstanceStatus): boolean => status === 'pending';
export const isInstanceProvisioning = (status: InstanceStatus): boolean =>
  status === 'provisioning';
export const isInstanceIdle = (status: InstanceStatus): boolean => status === 'idle';
export const isInstanceBusy = (status: InstanceStatus): boolean => status === 'busy';
export const isInstanceTerminating = (status: InstanceStatus): boolean => status === 'terminating';
export const isInstanceTerminated = (status: InstanceStatus): boolean => status === 'terminated';

/** It is up: jobs can run on it. */
export const isInstanceAvailable = (status: InstanceStatus): boolean =>
  status === 'idle' || status === 'busy';

/** It takes one of the places of its fleet. */
export const isInstanceActive = (status: InstanceStatus): boolean =>
  status !== 'terminating' && status !== 'terminated';

/** Its machine is being made for a job. */
export const isPlaceholder = (
  instance: Pick<InstanceRecord, 'status' | 'provisioningJobId'>,
): boolean => instance.status === 'pending' && instance.provisioningJobId !== null;

/** An SSH host: never made, never ended, no time limit while it is only unreachable. */
export const isOwnHost = (backend: BackendName | null): boolean =>
  capabilitiesOf(backend).owner === 'user';

/** Machines that are not paid for by the hour: losing sight of them for a while costs nothing. */
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
