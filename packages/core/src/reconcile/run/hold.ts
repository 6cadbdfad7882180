/** A run that is held: its waiting jobs are withdrawn, and it stays `pending` until it is released. */
import { runTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import { projectCapacity } from '../../instances/index.ts';
import type { EventActor, JobRecord, RunRecord, Timestamp } from '../../model/index.ts';
import { isUnplaced } from '../../placement/eligible/eligible.ts';
import { arrayOf } from '../../run-spec/array-member.ts';
import {
  isJobFinished,
  isRunActive,
  isRunAlive,
  isRunPending,
  isRunTerminating,
  isRunWaiting,
} from '../../status/index.ts';
import { wantedFailures } from '../service/replicas.ts';
import { cronOf } from './pending-run.ts';
import type { RunPass } from './run-pass.ts';
import { type RequestedChanges, requested, type UserRequest } from './user-requests.ts';

export interface HoldRequest extends UserRequest {
  /** Name of the user. */
  readonly by: string;
}

/** Why the run cannot be held; null = it can. `jobs`: the newest submission of each job. */
export function holdRefusal(run: RunRecord, jobs: readonly JobRecord[]): string | null {
  const { name, status } = run;
  // Those of its members that wait are held, and no others are born.
  if (arrayOf(run.spec) !== null && isRunAlive(status)) return null;
  if (!isRunWaiting(status)) return `Run ${name} is ${status}: only a run that waits can be held`;
  const placed = jobs.find((job) => !isJobFinished(job.status) && job.instanceId !== null);
  if (placed === undefined) return null;
  return `Run ${name} has its place already: only a run that waits can be held`;
}

/** Null: it is held already, or does not wait any more. */
export function holdRun(run: RunRecord, request: HoldRequest): RequestedChanges | null {
  const isHoldable = arrayOf(run.spec) === null ? isRunWaiting : isRunAlive;
  if (run.hold !== null || !isHoldable(run.status)) return null;
  const { by, now, actor } = request;
  const event = recordEvent({ action: 'run.held', targets: [runTarget(run)], actor });
  return requested(run, { hold: { by, since: now }, nextPassAt: now }, event, request);
}

/** Whether something keeps the run out of the queue that a user may overrule. */
export const isReleasable = ({ hold, status, dependencyState }: RunRecord): boolean =>
  hold !== null || (isRunPending(status) && dependencyState === 'unmet');

/**
 * Null: it is not held, and not kept because of a dependency that can no longer come true. Its age in the
 * queue counts from now.
 */
export function releaseRun(run: RunRecord, request: UserRequest): RequestedChanges | null {
  const { hold } = run;
  if (!isReleasable(run) || !(isRunWaiting(run.status) || isRunActive(run.status))) return null;
  return requested(
    run,
    {
      hold: null,
      eligibleAt: request.now,
      // Starts of its schedule that passed during the hold are not made up for.
      ...(hold !== null && isMissed(run, hold.since) && { nextTriggeredAt: null }),
      ...(hold === null && { dependencyState: 'met' as const }),
      nextPassAt: request.now,
    },
    releasedEvent(run, 'request', request.actor),
    request,
  );
}

function isMissed({ nextTriggeredAt }: RunRecord, since: Timestamp): boolean {
  return nextTriggeredAt !== null && nextTriggeredAt > since;
}

function releasedEvent(run: RunRecord, why: 'request' | 'placed', actor: EventActor | null) {
  const targets = [runTarget(run)];
  return recordEvent({ action: 'run.released', data: { why }, targets, actor });
}

/**
 * The jobs of a held run leave the queue, as if they had never been in it. If one of them has got its
 * place at the same moment, the hold came too late and is withdrawn.
 */
export function obeyHold(pass: RunPass): void {
  const { run } = pass;
  if (run.hold === null || isRunPending(run.status) || isRunTerminating(run.status)) return;
  const live = pass.latest.filter((job) => !isJobFinished(job.status));
  if (live.some((job) => job.instanceId !== null)) {
    pass.setRun({ hold: null });
    pass.draft.event(releasedEvent(run, 'placed', null));
    return;
  }
  // Jobs without an instance that are still ending end in this pass or the next.
  if (live.length === 0 || !live.every(isUnplaced)) return;
  for (const job of live) {
    pass.draft.jobs.delete(job);
    // Those who were asked to leave for it may stay.
    for (const id of job.reclaim?.runs ?? []) pass.draft.signal('run', id);
  }
  // Gangs behind it may use the capacity that was kept for it.
  const { kind, id } = projectCapacity(run.projectId);
  pass.draft.signal(kind, id);
  const isRetry = wantedFailures(pass).some(({ jobs }) => jobs.some(isOfThisStart(run)));
  pass.moveRun('pending', {
    fleetId: null,
    resubmissionAttempt: isRetry ? Math.max(1, run.resubmissionAttempt) : 0,
    // A start of its schedule that waits in the queue is not lost.
    ...(cronOf(run) !== null && !isRetry && { nextTriggeredAt: run.hold.since }),
  });
}

/** A run with a schedule still has the jobs of its earlier starts, which ended before the present one. */
const isOfThisStart =
  (run: RunRecord) =>
  ({ finishedAt }: JobRecord): boolean =>
    cronOf(run) === null || (finishedAt ?? Infinity) > (run.nextTriggeredAt ?? 0);
