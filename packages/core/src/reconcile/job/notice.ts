/**
 * Jobs that have to leave their instance. A running job gets notice through its agent, which carries out
 * Ctrl-C, SIGTERM and SIGKILL at their times; the exit that it reports then has `NOTICE_REASON`. All nodes of
 * a replica leave together.
 */
import { formatTimestamp } from '@dstack/contract/wire';
import { jobTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type { IntentRecord, JobRecord, NoticeRecord, Timestamp } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import {
  graceSeconds,
  KILL_LIMIT,
  KILL_SECONDS,
  NOTICE_GRACE,
  NOTICE_REASON,
} from '../../status/index.ts';
import { silence, silenceDeadline } from '../../time/silence.ts';
import type { RunPass } from '../run/run-pass.ts';
import { isAskedStill, leaveOf } from './drains.ts';
import { endJob } from './end-job.ts';

/**
 * A job that has not begun loses nothing: it is submitted again at once. Before a window of maintenance it may begin
 * as long as it would end in time.
 */
export function leaveBeforeStart(pass: RunPass, job: JobRecord): boolean {
  const drain = leaveOf(pass, job);
  if (drain === null) return false;
  const end = drain.isWindow ? knownEnd({ ...job, runningAt: pass.now }) : null;
  if (end !== null && end <= drain.deadline) {
    pass.draft.dueAt(drain.deadline - (end - pass.now) + 1);
    return false;
  }
  const { message } = drain;
  const now = pass.now;
  const notice = { message, requestedAt: now, interruptAt: now, endsAt: now };
  endJob(pass, pass.draft.jobs.set(job, { notice }), NOTICE_REASON, { message });
  return true;
}

/** The error of an order that was cancelled, as the store writes it. */
const CANCELLED = 'cancelled';

/** Gives notice to a running job, withdraws it, and ends a job that its agent has not ended. */
export function followNotice(pass: RunPass, given: JobRecord): void {
  const job = forgetEviction(pass, given);
  const last = pass.draft.lastIntent('job.notice', job.id);
  const isBegun = (pass.reportOf(job)?.state.stop_stage ?? null) !== null;
  const wanted = wantedNotice(pass, job);
  const { notice } = job;
  // Orders are carried out one after another, since a later one must not overtake an earlier one.
  if (last?.state !== 'announced' && !(isBegun && notice !== null)) {
    if (wanted === null && notice !== null && !isInVain(last)) {
      withdraw(pass, job, last);
      return;
    }
    if (wanted !== null && !isSame(wanted, notice)) {
      give(pass, job, wanted);
      return;
    }
  }
  // Its host may be unreachable for longer than the notice; delivered then, it would kill the job at once.
  if (last?.state === 'announced' && isOutdated(last, wanted)) {
    pass.draft.cancel(last);
    pass.draft.dueAt(pass.now);
    return;
  }
  if (notice === null) return;
  const holds = isBegun || isInVain(last) || isSame(notice, wanted);
  carryOut(pass, job, { notice, last, holds });
}

/** The gang that asked has a place, or waits no more: the next request is a new one. */
function forgetEviction(pass: RunPass, job: JobRecord): JobRecord {
  if (job.eviction === null || isAskedStill(pass, job.eviction)) return job;
  return pass.draft.jobs.set(job, { eviction: null });
}

/** An order that no agent has received, about a notice that is not wanted any more. */
function isOutdated({ payload }: IntentRecord, wanted: NoticeRecord | null): boolean {
  return (
    payload.kind === 'job.notice' && payload.notice !== null && !isSame(payload.notice, wanted)
  );
}

interface Noticed {
  readonly notice: NoticeRecord;
  readonly last: IntentRecord | null;
  /** Whether the job has to leave still; otherwise the notice is only being withdrawn. */
  readonly holds: boolean;
}

function isSame(a: NoticeRecord, b: NoticeRecord | null): boolean {
  return b !== null && a.interruptAt === b.interruptAt && a.endsAt === b.endsAt;
}

/** Null: the job may stay, ends by itself before the deadline, or is a replica that is being replaced. */
function wantedNotice(pass: RunPass, job: JobRecord): NoticeRecord | null {
  const drain = leaveOf(pass, job);
  if (drain === null) return null;
  const { message, since, deadline: endsAt, isTakenBack } = drain;
  const end = knownEnd(job);
  if (end !== null && end <= endsAt) return null;
  const graceFrom = Math.max(since, endsAt - NOTICE_GRACE);
  const interruptAt = graceFrom + Math.floor((endsAt - graceFrom) / 2);
  const isReplica = pass.run.spec.configuration.type === 'service';
  const from = isReplica ? graceFrom : since;
  const given = {
    ...{ message, requestedAt: pass.now, interruptAt, endsAt },
    ...(isTakenBack && { isTakenBack }),
  };
  // A clock that is set back withdraws nothing.
  if (pass.now >= from || isSame(given, job.notice)) return given;
  pass.draft.dueAt(from);
  return null;
}

/** By `max_duration` and `stop_duration`; null = unknown. */
function knownEnd({ runningAt, spec }: Pick<JobRecord, 'runningAt' | 'spec'>): Timestamp | null {
  const { max_duration, stop_duration } = spec;
  if (runningAt === null || !max_duration || stop_duration === null) return null;
  return runningAt + (max_duration + (stop_duration ?? 0)) * SECOND;
}

function give(pass: RunPass, job: JobRecord, notice: NoticeRecord): void {
  const { draft } = pass;
  const noticed = draft.jobs.set(job, { notice });
  draft.announce(job.id, { kind: 'job.notice', notice, reason: NOTICE_REASON });
  const { message, interruptAt, endsAt } = notice;
  const times = { interrupt_at: formatTimestamp(interruptAt), ends_at: formatTimestamp(endsAt) };
  const data = { message, ...times };
  draft.event(recordEvent({ action: 'job.notice_given', data, targets: [jobTarget(noticed)] }));
  draft.dueAt(interruptAt);
}

const isWithdrawal = (order: IntentRecord | null): boolean =>
  order?.payload.kind === 'job.notice' && order.payload.notice === null;

/** The agent decides whether it is in time. */
function withdraw(pass: RunPass, job: JobRecord, last: IntentRecord | null): void {
  const { draft } = pass;
  const isDone = isWithdrawal(last) && last?.state === 'done';
  // An agent that knows no notices has given none.
  if (!isDone && !isRefused(last)) {
    draft.announce(job.id, { kind: 'job.notice', notice: null, reason: NOTICE_REASON });
    return;
  }
  const staying = draft.jobs.set(job, { notice: null });
  draft.event(recordEvent({ action: 'job.notice_withdrawn', targets: [jobTarget(staying)] }));
}

/** A cancelled order may have reached the agent all the same. */
const isRefused = (order: IntentRecord | null): boolean =>
  (order?.state === 'failed' && order.error !== CANCELLED) || order?.result?.kind === 'refused';

/** The withdrawal came after Ctrl-C. */
const isInVain = (last: IntentRecord | null): boolean => isWithdrawal(last) && isRefused(last);

/**
 * An older agent gets a plain stop at the time of Ctrl-C. Otherwise the agent carries out the stages by its own
 * clock, and reports them. The server ends only what the agent has not ended: a process that was sent
 * Ctrl-C has its grace from then on, whatever the clock of the server shows by now.
 */
function carryOut(pass: RunPass, job: JobRecord, { notice, last, holds }: Noticed): void {
  const { message, interruptAt, endsAt } = notice;
  if (isRefused(last) && !isWithdrawal(last)) {
    if (pass.now >= interruptAt) endJob(pass, job, NOTICE_REASON, { message, graceful: true });
    else pass.draft.dueAt(interruptAt);
    return;
  }
  if (!holds) return;
  const begun = begunAt(pass, job);
  const until =
    begun === null
      ? silenceDeadline(pass.ctx, endsAt, KILL_LIMIT)
      : silenceDeadline(pass.ctx, begun, silence(graceSeconds(notice) + KILL_SECONDS));
  if (pass.now < until) pass.draft.dueAt(until);
  // A process on a host that cannot be reached may go on, so the run must not go on elsewhere.
  else if (pass.hostOf(job)?.connected)
    endJob(pass, job, NOTICE_REASON, { message, graceful: begun === null });
}

/** When the agent reported the present stage of the stop; null = it has not sent Ctrl-C. */
function begunAt(pass: RunPass, job: JobRecord): Timestamp | null {
  const report = pass.reportOf(job);
  return (report?.state.stop_stage ?? null) === null ? null : (report?.receivedAt ?? null);
}
