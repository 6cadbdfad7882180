/**
 * A job without a place waits in `submitted`, without a timer of its own, until suitable capacity
 * becomes free. If it may not wait, it ends.
 */
import { refusalText } from '@dstack/contract/wire';
import { jobTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import type { JobRecord, Timestamp } from '../../model/index.ts';
import { comesLater } from '../../placement/eligible/eligible.ts';
import { demandOf } from '../../placement/gang-request.ts';
import { undecidedUntil } from '../../placement/place/refusals.ts';
import { OTHER_SERVERS_LIMIT, RECONNECT_LIMIT } from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import { followsRequeue, verdictOn } from '../run/retry.ts';
import type { RunPass } from '../run/run-pass.ts';
import { isServing } from '../service/replicas.ts';
import { sleepsWithoutDemand } from '../service/scaled-groups.ts';
import { endJob } from './end-job.ts';

export function awaitPlace(pass: RunPass, job: JobRecord): void {
  const queued = keepPlaceInQueue(pass, job);
  if (queued.refusal === null) return;
  if (queued.refusal.kind === 'volume') {
    endJob(pass, queued, 'volume_error', { message: refusalText(queued.refusal) });
    return;
  }
  const until = waitLimit(pass, queued);
  if (until === null) {
    endJob(pass, queued, 'failed_to_start_due_to_no_capacity');
    return;
  }
  // One microsecond after the last moment at which a retry is allowed.
  if (until !== Infinity) pass.draft.dueAt(until + 1);
  if (queued.waitingSince !== null) return;
  pass.draft.jobs.set(queued, { waitingSince: pass.now });
  if (job.jobNum !== 0) return;
  const data = { why: refusalText(queued.refusal) };
  pass.draft.event(recordEvent({ action: 'job.waiting', data, targets: [jobTarget(queued)] }));
}

/**
 * Until when the job may wait; null = it may not wait. Beside a serving replica it waits without a
 * limit, so that a lack of capacity never ends a working service. The same applies to a replica
 * that was started by a request: otherwise a request to a full fleet would end the service; and to runs that enter
 * the queue long after their submission (`comesLater`), unless `retry` limits that. Every job
 * waits for the first instance of a cluster, for a host that cannot start jobs now and for a cordoned
 * instance, a moment for a host whose connection was just lost (otherwise a restart of the server would end runs that are
 * submitted then), and a moment for the other servers while only this server's machine is known to be full.
 */
export function waitLimit(pass: RunPass, job: JobRecord): Timestamp | null {
  if (isServing(pass) || sleepsWithoutDemand(pass.run, job.spec.replica_group)) return Infinity;
  // As many members are born as may wait, so a full queue is no reason to end one.
  if (pass.run.arrayId !== null) return Infinity;
  // Its host failed, or it had to leave it; the run therefore waits for as long as it takes.
  if (followsRequeue(pass, job)) return Infinity;
  // The capacity may be there: only its own project keeps it back.
  if (job.refusal?.kind === 'quota') return Infinity;
  // Others have to leave for it, or will.
  if (job.reclaim !== null) return Infinity;
  const verdict = verdictOn(pass, job, 'no-capacity');
  if (verdict.kind === 'retry') return verdict.until;
  if (verdict.kind === 'never' && comesLater(pass.run)) return Infinity;
  const undecided = job.refusal && undecidedUntil(job.refusal);
  if (verdict.kind !== 'never' || undecided === null) return null;
  if (undecided !== 'reconnecting' && undecided !== 'other_servers') return Infinity;
  const limit = undecided === 'reconnecting' ? RECONNECT_LIMIT : OTHER_SERVERS_LIMIT;
  const until = silenceDeadline(pass.ctx, job.waitingSince ?? pass.now, limit);
  return pass.now <= until ? until : null;
}

/** The demand changes with the run's fleet, the priority with an update. */
function keepPlaceInQueue(pass: RunPass, job: JobRecord): JobRecord {
  const gang = pass.latest.filter((one) => one.replicaNum === job.replicaNum);
  const demand = demandOf(
    pass.run,
    gang.map((one) => one.spec),
  );
  const { priority } = pass.run;
  if (job.demand === demand && job.priority === priority) return job;
  // The new demand class may have a place although the old one had none.
  pass.draft.signal('placement', pass.run.projectId);
  return pass.draft.jobs.set(job, { demand, priority });
}
