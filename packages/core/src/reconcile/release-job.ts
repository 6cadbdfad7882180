/** Giving back what a job holds: its share of an instance, and its traces on the host. */
import type { InstanceRecord, JobRecord } from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import {
  isInstanceActive,
  isInstanceBusy,
  isInstanceProvisioning,
  isOwnHost,
  isPlaceholder,
} from '../status/index.ts';
import type { Draft } from './draft.ts';
import { jobUnassignedEvent } from './events.ts';
import { moveInstance } from './moves.ts';
import type { RunPass } from './run-pass.ts';

/**
 * Takes the job off its instance. An instance without jobs becomes idle, or ends at once when it was
 * meant for its job alone; one whose machine is still being made is left to its own passes, which
 * keep or end what comes of it. Whoever waits for capacity is told.
 */
export function releaseJob(pass: RunPass, job: JobRecord): JobRecord {
  const { draft } = pass;
  const instance = pass.instanceOf(job);
  orderRemoval(pass, job, instance);
  if (instance === null) return draft.jobs.set(job, { instanceId: null, claimedBlocks: 0 });
  const busyBlocks = Math.max(0, instance.busyBlocks - job.claimedBlocks);
  const free = draft.jobs.set(job, { instanceId: null, claimedBlocks: 0 });
  if (isPlaceholder(instance)) {
    releasePlaceholder(pass, job, draft.instances.set(instance, { busyBlocks }));
    return free;
  }
  const left = draft.instances.set(instance, { busyBlocks, lastJobFinishedAt: pass.now });
  draft.event(jobUnassignedEvent(free, left));
  if (busyBlocks === 0) freeInstance(draft, left);
  draft.signal('placement', instance.projectId);
  return free;
}

/**
 * The creation is not called off: its result may be the only word of a machine that costs money.
 * The instance stays until that word is there, and its own pass keeps or ends what was made.
 */
function releasePlaceholder(pass: RunPass, job: JobRecord, instance: InstanceRecord): void {
  const create = pass.draft.lastIntent('instance.create', instance.id);
  if (instance.provisioningJobId !== job.id) return;
  const cannotAppear =
    create === null || create.state === 'failed' || create.result?.kind === 'no-capacity';
  if (cannotAppear && instance.busyBlocks === 0) {
    pass.draft.instances.delete(instance);
    return;
  }
  pass.draft.signal('instance', instance.id);
}

/** The last job has left. */
export function freeInstance(draft: Draft, instance: InstanceRecord): void {
  const ephemeral = instance.idleSeconds === 0 && !isOwnHost(instance.backend);
  if (ephemeral && isInstanceActive(instance.status)) {
    moveInstance(draft, instance, 'terminating', { terminationReason: 'job_finished' });
    draft.signal('instance', instance.id);
    draft.signal('fleet', instance.fleetId);
    return;
  }
  if (isInstanceBusy(instance.status)) {
    // The exact timer of its idle time, so that no pass of its own is needed to set it.
    const idle = isOwnHost(instance.backend) ? null : instance.idleSeconds;
    const nextPassAt = idle === null ? null : draft.now + idle * SECOND;
    moveInstance(draft, instance, 'idle', { nextPassAt });
  } else if (isInstanceProvisioning(instance.status)) {
    draft.signal('instance', instance.id);
  }
}

/** Effects for the living job are called off, and its host is told to forget it. */
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

/** An agent that still speaks of a job that has ended is told once more to forget it. */
export function removeAgain(pass: RunPass, job: JobRecord): void {
  const report = pass.reportOf(job);
  if (report === null) return;
  const last = pass.draft.lastIntent('job.remove', job.id);
  if (last?.state === 'announced') return;
  // What was said before the removal, or before the end where none was needed, is old news.
  if (report.receivedAt <= (last?.updatedAt ?? job.finishedAt ?? 0)) return;
  pass.draft.announce(job.id, { kind: 'job.remove', hostId: report.hostId });
}
