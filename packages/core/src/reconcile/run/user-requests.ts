/**
 * The immediate changes of a user's request to end a run or a fleet; passes do the rest. The API
 * writes these changes without waiting for a lease. Null: nothing to change.
 */
import { Draft } from '../../draft/draft.ts';
import { fleetStatusEvent, runStatusEvent } from '../../events/events.ts';
import type {
  Decision,
  EventActor,
  FleetRecord,
  NewEvent,
  RunRecord,
  RunTerminationReason,
  Timestamp,
} from '../../model/index.ts';
import {
  assertTransition,
  FLEET_TRANSITIONS,
  isAbort,
  isFleetFinished,
  isFleetTerminating,
  isRunFinished,
  isRunTerminating,
  RUN_TRANSITIONS,
} from '../../status/index.ts';

export type RequestedChanges = Pick<Decision, 'changes' | 'signals'>;

export interface UserRequest {
  /** Null = the system. */
  readonly actor: EventActor | null;
  readonly now: Timestamp;
}

export interface RunStop extends UserRequest {
  readonly abort: boolean;
}

/**
 * The run is `terminating` at once. A repeated request only changes the reason: an abort replaces
 * every reason, a stop every reason but an abort.
 */
export function stopRun(run: RunRecord, request: RunStop): RequestedChanges | null {
  const { abort, actor, now } = request;
  const reason: RunTerminationReason = abort ? 'aborted_by_user' : 'stopped_by_user';
  if (isRunFinished(run.status)) return null;
  const isEnding = isRunTerminating(run.status);
  const isKept = run.terminationReason === reason || (isAbort(run.terminationReason) && !abort);
  if (isEnding && isKept) return null;
  const draft = new Draft({ run }, request);
  if (!isEnding) assertTransition('run', RUN_TRANSITIONS, run.status, 'terminating');
  const set = { status: 'terminating', terminationReason: reason, nextPassAt: now } as const;
  const moved = draft.runs.set(run, set);
  if (!isEnding) draft.event(runStatusEvent(run.status, moved, actor));
  draft.signal('run', run.id);
  return { changes: draft.changes(), signals: draft.signals() };
}

/** The changes of a request that sets fields of a run, with its event; the pass does the rest. */
export function requested(
  run: RunRecord,
  set: Partial<RunRecord>,
  event: NewEvent,
  request: UserRequest,
): RequestedChanges {
  const draft = new Draft({ run }, request);
  draft.runs.set(run, set);
  draft.event(event);
  draft.signal('run', run.id);
  return { changes: draft.changes(), signals: draft.signals() };
}

/** The fleet is deleted once its last instance has ended. */
export function terminateFleet(fleet: FleetRecord, request: UserRequest): RequestedChanges | null {
  const isEnding = isFleetTerminating(fleet.status) || isFleetFinished(fleet.status);
  if (fleet.deleted || isEnding) return null;
  assertTransition('fleet', FLEET_TRANSITIONS, fleet.status, 'terminating');
  const draft = new Draft({ fleet }, request);
  const moved = draft.fleets.set(fleet, { status: 'terminating' });
  draft.event(fleetStatusEvent(fleet.status, moved, request.actor));
  draft.signal('fleet', fleet.id);
  return { changes: draft.changes(), signals: draft.signals() };
}
