/** A volume that is marked for deletion: the order to the backend is repeated until it succeeds. */
import { eventMessage } from '../../events/event-message.ts';
import { recordEvent } from '../../events/record-event.ts';
import { projectCapacity } from '../../instances/index.ts';
import { BACKEND_MISSING, type IntentRecord } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { BACKEND_MISSING_LIMIT, terminateDelay } from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import type { VolumePass } from './volume-pass.ts';

/** After this, a worker that is creating the volume is requested to stop again. */
const ORDER_DELAY = 30 * SECOND;

export function advanceDeletion(pass: VolumePass): void {
  const { draft, order, snapshot } = pass;
  if (snapshot.uses.length > 0 || draft.attachments.all().length > 0) return;
  noteLateVolume(pass);
  const { volume } = pass;
  if (order?.state === 'announced' && !pass.hasLostItsHosts) {
    // Its result may be the only record of a volume that costs money.
    draft.signal('intent', order.key);
    draft.dueAt(pass.now + ORDER_DELAY);
    return;
  }
  if (volume.handle === null && mayExist(order)) giveUp(pass, 'its host left the fleet');
  else if (volume.handle === null || volume.external) finish(pass);
  else if (pass.hasLostItsHosts) giveUp(pass, 'its host was removed from the fleet');
  else orderDeletion(pass);
}

/** Its host was asked to make it, and has left with the answer. */
const mayExist = (order: IntentRecord | null): boolean =>
  order?.state === 'announced' && order.payload.kind === 'volume.create' && order.payload.begun;

function orderDeletion(pass: VolumePass): void {
  const { draft, volume } = pass;
  const last = draft.lastIntent('volume.delete', volume.id);
  if (last === null) {
    draft.announce(volume.id, { kind: 'volume.delete' });
  } else if (last.state === 'done') {
    finish(pass);
  } else if (last.state === 'failed') {
    retry(pass, last);
  }
}

function retry(pass: VolumePass, last: IntentRecord): void {
  const { draft, volume } = pass;
  const refused = last.result?.kind === 'refused' ? last.result : null;
  if (refused?.reason === BACKEND_MISSING) {
    const until = silenceDeadline(draft, last.createdAt, BACKEND_MISSING_LIMIT);
    if (pass.now >= until) giveUp(pass, `backend ${volume.backend} was removed`);
    else draft.dueAt(until);
    return;
  }
  pass.set({ statusMessage: `Deletion failed: ${refused?.message ?? last.error ?? 'unknown'}` });
  const again = last.updatedAt + terminateDelay(last.attempt);
  if (pass.now >= again) draft.announce(volume.id, { kind: 'volume.delete' });
  else draft.dueAt(again);
}

/** A creation that was given up may still have succeeded. */
export function noteLateVolume(pass: VolumePass): void {
  const { order, volume } = pass;
  if (volume.handle !== null || order?.result?.kind !== 'volume.created') return;
  pass.set({ handle: order.result.handle });
}

function finish(pass: VolumePass): void {
  pass.set({ deleted: true, deletedAt: pass.now });
  pass.draft.event(recordEvent({ action: 'volume.deleted', targets: pass.targets }));
  // Runs that wait for a place with it will find none.
  const { kind, id } = projectCapacity(pass.volume.projectId);
  pass.draft.signal(kind, id);
}

/** Ends the row with an alarm that names the volume that a person has to delete by hand. */
function giveUp(pass: VolumePass, why: string): void {
  const { id, name, handle, backend } = pass.volume;
  const event = recordEvent({
    action: 'volume.data_abandoned',
    data: { volume: name, id: handle?.id ?? id, backend, why },
    targets: pass.targets,
  });
  pass.draft.event(event);
  pass.draft.alarm(eventMessage(event));
  finish(pass);
}
