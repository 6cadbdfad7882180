/** The volumes of a job: attached before it starts, released when its process has ended. */
import { projectCapacity } from '../../instances/index.ts';
import type { JobRecord, JobVolume, Timestamp } from '../../model/index.ts';
import { volumeNamesOf } from '../../placement/gang-request.ts';
import {
  ATTACH_LIMIT,
  DETACH_WAIT,
  forceDelay,
  isAttached,
  isAttachFailed,
  isInstanceActive,
} from '../../status/index.ts';
import { silence, silenceDeadline } from '../../time/silence.ts';
import type { RunPass } from '../run/run-pass.ts';

/** Volumes that the job mounts, in the order of its mounts. */
export function volumesOfJob({ snapshot }: Pick<RunPass, 'snapshot'>, job: JobRecord): JobVolume[] {
  return snapshot.volumes
    .filter((one) => one.jobId === job.id)
    .sort((a, b) => a.mountNum - b.mountNum);
}

export type MountState =
  | { readonly kind: 'ready' }
  | { readonly kind: 'waiting'; readonly volume: JobVolume; readonly until: Timestamp }
  | { readonly kind: 'failed'; readonly message: string };

/** Whether the job may start: it never starts without one of its volumes. */
export function mountState(pass: Pick<RunPass, 'snapshot' | 'ctx'>, job: JobRecord): MountState {
  const volumes = volumesOfJob(pass, job);
  if (volumes.length < volumeNamesOf(job.spec).length) {
    return { kind: 'failed', message: 'Its volumes were given away' };
  }
  const failed = volumes.find(({ attachment }) => attachment && isAttachFailed(attachment.status));
  if (failed) {
    const why = failed.attachment?.error ?? 'no reason was reported';
    return { kind: 'failed', message: `Volume ${failed.name} could not be attached: ${why}` };
  }
  const missing = volumes.find(({ attachment }) => !attachment || !isAttached(attachment.status));
  if (!missing) return { kind: 'ready' };
  const since = missing.attachment?.statusChangedAt ?? job.provisionedAt ?? job.statusChangedAt;
  return {
    kind: 'waiting',
    volume: missing,
    until: silenceDeadline(pass.ctx, since, ATTACH_LIMIT),
  };
}

/**
 * Releases the volumes of a job whose process has ended. Returns whether the job may be finished:
 * it waits until the volumes that no other job of its instance mounts are detached.
 */
export function leaveVolumes(pass: RunPass, job: JobRecord): boolean {
  const volumes = volumesOfJob(pass, job);
  const [first] = volumes;
  if (!first) return true;
  const ids = volumes.map(({ volumeId }) => volumeId);
  const held = heldVolumes(pass, job, volumes);
  const releasedAt = first.releasedAt ?? (pass.released.has(job.id) ? pass.now : null);
  if (held.length > 0 && releasedAt === null) {
    pass.released.add(job.id);
    pass.draft.releaseVolumes(job.id, ids);
    return false;
  }
  const until = detachDeadline(pass, job, releasedAt ?? pass.now);
  if (held.length > 0 && pass.now < until) {
    pass.draft.dueAt(until);
    return false;
  }
  for (const { name } of held) {
    pass.draft.alarm(
      `Job ${job.name} ends although volume ${name} is still attached to its instance`,
    );
  }
  pass.draft.leaveVolumes(job.id, ids);
  // A volume that was never attached, or whose instance has ended, is free from now on.
  const { kind, id } = projectCapacity(job.projectId);
  pass.draft.signal(kind, id);
  return true;
}

/** Until when a job waits for its volumes, which it released then. */
export function detachDeadline(
  { ctx }: Pick<RunPass, 'ctx'>,
  job: JobRecord,
  releasedAt: Timestamp,
): Timestamp {
  return silenceDeadline(ctx, releasedAt, silence(forceDelay(job) + DETACH_WAIT));
}

/** Volumes that have to be detached before the job's instance may be given to other jobs. */
export function heldVolumes(
  pass: RunPass,
  job: JobRecord,
  volumes: readonly JobVolume[] = volumesOfJob(pass, job),
): JobVolume[] {
  const instance = pass.instanceOf(job);
  if (instance === null || !isInstanceActive(instance.status)) return [];
  return volumes.filter(({ attachment, hasOthers }) => attachment !== null && !hasOthers);
}
