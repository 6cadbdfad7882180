/**
 * Attaches a volume to the instances whose jobs mount it, and detaches it from those whose jobs
 * have released it. Only this pass writes attachments; the passes of runs wait for them.
 */
import { instanceTarget, volumeTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import { projectCapacity } from '../../instances/index.ts';
import type { AttachmentRecord, AttachmentStatus, Id, InstanceRecord } from '../../model/index.ts';
import {
  ATTACH_LIMIT,
  ATTACHMENT_TRANSITIONS,
  assertTransition,
  forceDetachAt,
  isAttaching,
  isDetaching,
  isInstanceActive,
  isInstanceTerminated,
  isJobFinished,
  isVolumeActive,
  terminateDelay,
} from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import type { VolumePass } from './volume-pass.ts';

export function settleAttachments(pass: VolumePass): void {
  const wanted = instancesThatNeedIt(pass);
  for (const attachment of pass.draft.attachments.all()) settle(pass, attachment, wanted);
  for (const id of wanted) attach(pass, id);
}

/** Attachments with a job that mounts the volume and whose process has not ended. */
function instancesThatNeedIt(pass: VolumePass): ReadonlySet<Id> {
  if (!isVolumeActive(pass.volume.status)) return new Set();
  const ids = pass.snapshot.uses
    .filter(({ releasedAt, job }) => releasedAt === null && !isJobFinished(job.status))
    .map(({ job }) => pass.instance(job.instanceId))
    .filter((instance) => instance !== null && isUp(instance))
    .map((instance) => instance?.id ?? '');
  return new Set(ids);
}

const isUp = ({ status, handle, provisioningData }: InstanceRecord): boolean =>
  isInstanceActive(status) && handle !== null && provisioningData !== null;

function attach(pass: VolumePass, instanceId: Id): void {
  const { draft, volume, now } = pass;
  const all = draft.attachments.all();
  if (all.some((one) => one.instanceId === instanceId)) return;
  // It is being detached from another instance; the end of that signals this pass.
  if (!volume.shared && all.length > 0) return;
  const attachment = draft.attachments.insert({
    id: draft.newId(),
    volumeId: volume.id,
    instanceId,
    status: 'attaching',
    statusChangedAt: now,
    error: null,
    attachmentData: null,
    version: 0,
  });
  draft.announce(attachment.id, { kind: 'volume.attach', volumeId: volume.id, instanceId });
  draft.dueAt(silenceDeadline(draft, now, ATTACH_LIMIT));
}

function settle(pass: VolumePass, attachment: AttachmentRecord, wanted: ReadonlySet<Id>): void {
  const { draft } = pass;
  if (isDetaching(attachment.status)) {
    settleDetaching(pass, attachment);
    return;
  }
  if (isAttaching(attachment.status)) settleAttaching(pass, attachment);
  const known = draft.attachments.get(attachment.id) ?? attachment;
  if (!wanted.has(known.instanceId)) move(pass, known, 'detaching');
}

function settleAttaching(pass: VolumePass, attachment: AttachmentRecord): void {
  const order = pass.draft.lastIntent('volume.attach', attachment.id);
  const until = silenceDeadline(pass.draft, attachment.statusChangedAt, ATTACH_LIMIT);
  if (order?.result?.kind === 'volume.attached') {
    const attachmentData = { device_name: order.result.device };
    report(pass, move(pass, attachment, 'attached', { attachmentData }), 'volume.attached');
  } else if (order?.result?.kind === 'refused') {
    move(pass, attachment, 'failed', { error: order.result.message });
  } else if (order === null || order.state === 'failed') {
    move(pass, attachment, 'failed', { error: order?.error ?? 'it was not ordered' });
  } else if (pass.now >= until) {
    move(pass, attachment, 'failed', { error: 'it was not attached within 5 minutes' });
  } else {
    pass.draft.dueAt(until);
  }
}

/** Requests the detachment, after a while by force, and again until the backend reports the end. */
function settleDetaching(pass: VolumePass, attachment: AttachmentRecord): void {
  const { draft, now } = pass;
  const instance = pass.instance(attachment.instanceId);
  if (instance === null || isInstanceTerminated(instance.status)) {
    remove(pass, attachment);
    return;
  }
  const forceAt = forceDetachAt(draft, attachment, jobsThatLeft(pass, attachment));
  const isLate = now >= forceAt;
  if (!isLate) draft.dueAt(forceAt);
  // A running worker would attach it again; its next attempt finds that it is no longer wanted.
  const attaching = draft.lastIntent('volume.attach', attachment.id);
  if (attaching?.state === 'announced' && !isLate) {
    draft.signal('intent', attaching.key);
    return;
  }
  const last = draft.lastIntent('volume.detach', attachment.id);
  const isForced = last?.payload.kind === 'volume.detach' && last.payload.force;
  if (last === null || (isLate && !isForced && last.state !== 'done')) {
    if (last !== null) draft.cancel(last);
    detach(pass, attachment, isLate);
  } else if (last.state === 'done') {
    remove(pass, attachment);
  } else if (last.state === 'failed') {
    const error = last.result?.kind === 'refused' ? last.result.message : last.error;
    draft.attachments.set(attachment, { error });
    const again = last.updatedAt + terminateDelay(last.attempt);
    if (now >= again) detach(pass, attachment, isForced);
    else draft.dueAt(again);
  }
}

function detach({ draft }: VolumePass, attachment: AttachmentRecord, force: boolean): void {
  const { id, volumeId, instanceId } = attachment;
  draft.announce(id, { kind: 'volume.detach', volumeId, instanceId, force });
}

function jobsThatLeft({ snapshot }: VolumePass, { instanceId }: AttachmentRecord) {
  return snapshot.uses.map(({ job }) => job).filter((job) => job.instanceId === instanceId);
}

function remove(pass: VolumePass, attachment: AttachmentRecord): void {
  const { draft, volume } = pass;
  if (attachment.attachmentData !== null) report(pass, attachment, 'volume.detached');
  draft.attachments.delete(attachment);
  pass.set({ lastJobProcessedAt: pass.now });
  signalRuns(pass, attachment);
  const { kind, id } = projectCapacity(volume.projectId);
  draft.signal(kind, id);
}

function move(
  pass: VolumePass,
  attachment: AttachmentRecord,
  status: AttachmentStatus,
  patch: Partial<AttachmentRecord> = {},
): AttachmentRecord {
  assertTransition('attachment', ATTACHMENT_TRANSITIONS, attachment.status, status);
  const moved = { ...patch, status, statusChangedAt: pass.now };
  if (!isDetaching(status)) signalRuns(pass, attachment);
  return pass.draft.attachments.set(attachment, moved);
}

function signalRuns({ draft, snapshot }: VolumePass, { instanceId }: AttachmentRecord): void {
  for (const { job } of snapshot.uses) {
    if (job.instanceId === instanceId) draft.signal('run', job.runId);
  }
}

function report(
  pass: VolumePass,
  { instanceId }: AttachmentRecord,
  action: 'volume.attached' | 'volume.detached',
): void {
  const instance = pass.instance(instanceId);
  if (instance === null) return;
  const targets = [volumeTarget(pass.volume), instanceTarget(instance)];
  pass.draft.event(recordEvent({ action, targets }));
}
