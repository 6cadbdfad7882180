/**
 * The next step of a volume: creation, attachments, reports of its backend, the end of an unused
 * volume, deletion.
 */
import type { Decision, DecisionContext, VolumeSnapshot } from '../../model/index.ts';
import {
  isVolumeActive,
  isVolumeFailed,
  isVolumeProvisioning,
  isVolumeSubmitted,
} from '../../status/index.ts';
import { settleAttachments } from './volume-attachments.ts';
import { advanceDeletion, noteLateVolume } from './volume-end.ts';
import { cleanUp, followVolume } from './volume-life.ts';
import { VolumePass } from './volume-pass.ts';
import { advanceProvisioning, advanceSubmitted } from './volume-start.ts';

const MAX_ROUNDS = 100;

export function reconcileVolume(snapshot: VolumeSnapshot, ctx: DecisionContext): Decision {
  const pass = new VolumePass(snapshot, ctx);
  let rounds = 0;
  do {
    if (++rounds > MAX_ROUNDS) throw new Error(`Volume ${snapshot.volume.id} does not settle`);
    pass.draft.beginRound();
    round(pass);
  } while (pass.draft.touched);
  return decide(pass);
}

function round(pass: VolumePass): void {
  if (pass.volume.deleted) return;
  if (!pass.volume.toBeDeleted) advance(pass);
  settleAttachments(pass);
  if (pass.volume.toBeDeleted) advanceDeletion(pass);
}

function advance(pass: VolumePass): void {
  const { status } = pass.volume;
  if (isVolumeSubmitted(status)) {
    advanceSubmitted(pass);
  } else if (isVolumeProvisioning(status)) {
    advanceProvisioning(pass);
  } else if (isVolumeActive(status)) {
    followVolume(pass);
    cleanUp(pass);
  } else if (isVolumeFailed(status)) {
    noteLateVolume(pass);
  }
}

function decide(pass: VolumePass): Decision {
  const { draft, snapshot } = pass;
  pass.set({ nextPassAt: draft.due });
  if (draft.changes().length > 0) pass.set({ lastProcessedAt: pass.now });
  const { volume } = pass;
  return {
    changes: draft.changes(),
    signals: draft.signals(),
    alarms: draft.alarms,
    summary: {
      volume: volume.id,
      from: snapshot.volume.status,
      to: volume.status,
      deleted: volume.deleted,
      attachments: draft.attachments.all().length,
      nextPassAt: draft.due,
    },
  };
}
