/** Releases the instance of a job and removes the job from its host. */
import { jobUnassignedEvent } from '../../events/events.ts';
import {
  correctReservation,
  discardPlaceholder,
  projectCapacity,
  releaseInstance,
} from '../../instances/index.ts';
import type { InstanceRecord, JobRecord } from '../../model/index.ts';
import { jobInterval } from '../../pricing/index.ts';
import { isInstanceActive, isPlaceholder } from '../../status/index.ts';
import type { RunPass } from '../run/run-pass.ts';

/**
 * Releases the job's instance. If the machine is still being created, the passes of the instance
 * decide about it.
 */
export function releaseJob(pass: RunPass, job: JobRecord): JobRecord {
  const { draft } = pass;
  const instance = pass.instanceOf(job);
  orderRemoval(pass, job, instance);
  if (instance !== null) draft.pay(jobInterval(pass.fresh(job), pass.run, instance, draft.now));
  const none = { instanceId: null, claimedBlocks: 0, charge: null, reclaim: null, reserved: null };
  const free = draft.jobs.set(job, none);
  // Those who were asked to leave for it may stay.
  for (const id of job.reclaim?.runs ?? []) draft.signal('run', id);
  if (isQueued(job) || job.charge !== null) {
    // Gangs behind it may use the capacity that was held for it, or what it used of a quota.
    const { kind, id } = projectCapacity(job.projectId);
    draft.signal(kind, id);
  }
  if (instance === null) return free;
  if (isPlaceholder(instance)) {
    const blocks = { from: job.claimedBlocks, to: 0 };
    releasePlaceholder(pass, job, correctReservation(draft, instance, blocks));
    return free;
  }
  releaseInstance(draft, instance, job.claimedBlocks, (released) =>
    draft.event(jobUnassignedEvent(free, released)),
  );
  return free;
}

/** Whether the job is waiting for a place. */
const isQueued = ({ instanceId, waitingSince }: JobRecord): boolean =>
  instanceId === null && waitingSince !== null;

/**
 * The creation is not cancelled: its result may be the only record of a machine that costs money. The
 * instance stays until the result is known; then its own pass keeps or terminates the machine.
 */
function releasePlaceholder(pass: RunPass, job: JobRecord, instance: InstanceRecord): void {
  const create = pass.draft.lastIntent('instance.create', instance.id);
  if (instance.provisioningJobId !== job.id) return;
  const cannotAppear =
    create === null || create.state === 'failed' || create.result?.kind === 'no-capacity';
  if (cannotAppear && instance.busyBlocks === 0) discardPlaceholder(pass.draft, instance);
  else pass.draft.signal('instance', instance.id);
}

/** Cancels the pending effects of the job and orders its host to remove it. */
function orderRemoval(pass: RunPass, job: JobRecord, instance: InstanceRecord | null): void {
  const { draft } = pass;
  const started = draft.intents('job.start', job.id);
  for (const intent of [
    ...started,
    ...draft.intents('job.release', job.id),
    ...draft.intents('job.stop', job.id),
  ]) {
    draft.cancel(intent);
  }
  const hostId = instance?.hostId ?? pass.reportOf(job)?.hostId ?? null;
  const onHost = started.length > 0 || pass.reportOf(job) !== null;
  const hostLives = instance === null || isInstanceActive(instance.status);
  if (hostId !== null && onHost && hostLives) {
    draft.announce(job.id, { kind: 'job.remove', hostId });
  }
}

/** Orders the removal again if an agent still reports an ended job. */
export function removeAgain(pass: RunPass, job: JobRecord): void {
  const report = pass.reportOf(job);
  if (report === null) return;
  const last = pass.draft.lastIntent('job.remove', job.id);
  if (last?.state === 'announced') return;
  // A report from before the removal (or the end, if none was needed) is out of date.
  if (report.receivedAt <= (last?.updatedAt ?? job.finishedAt ?? 0)) return;
  pass.draft.announce(job.id, { kind: 'job.remove', hostId: report.hostId });
}
