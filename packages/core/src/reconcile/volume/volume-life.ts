/** An active volume: the reports of its backend, and its end when it is unused. */

import { recordEvent } from '../../events/record-event.ts';
import { projectCapacity, volumeTolerance } from '../../instances/index.ts';
import type { Timestamp, VolumeObservation, VolumeRecord } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { isVolumeActive } from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import type { VolumePass } from './volume-pass.ts';

/** Reports problems of the volume in events and in the status message. It deletes nothing. */
export function followVolume(pass: VolumePass): void {
  const record = pass.snapshot.observation;
  if (record === null) return;
  const { observation, since } = record;
  if (observation.state === 'ready') {
    const { statusMessage: known } = pass.volume;
    // A size that is not known, as after a restart of the agent, solves no problem with the size.
    if (observation.usedGib !== null || !isMountable(known)) {
      report(pass, excessText(pass.volume, observation));
    }
  } else if (observation.state === 'failed') {
    report(pass, observation.text);
  } else if (observation.state === 'missing') {
    const until = silenceDeadline(pass.draft, since, volumeTolerance(pass.volume));
    if (pass.now < until) pass.draft.dueAt(until);
    else report(pass, MISSING);
  }
}

const MISSING = 'Its backend does not have it any more';
const EXCESS = 'It holds ';

const isMountable = (problem: string | null): boolean => problem?.startsWith(EXCESS) ?? true;

function report(pass: VolumePass, problem: string | null): void {
  const { statusMessage: before } = pass.volume;
  if (before === problem) return;
  pass.set({ statusMessage: problem });
  const isTurn = isMountable(before) !== isMountable(problem);
  // Runs that wait for a place with it find none, or find one again.
  if (isTurn) {
    const { kind, id } = projectCapacity(pass.volume.projectId);
    pass.draft.signal(kind, id);
  }
  // The figure of a reported problem changes without an event.
  if (problem !== null && (before === null || isTurn)) {
    pass.draft.event(
      recordEvent({
        action: 'volume.problem_reported',
        data: { problem },
        targets: pass.targets,
      }),
    );
  } else if (problem === null) {
    pass.draft.event(recordEvent({ action: 'volume.problem_resolved', targets: pass.targets }));
  }
}

/** Null: what is stored fits the size, or one of the two is unknown. */
function excessText(
  { configuration }: VolumeRecord,
  { usedGib }: Extract<VolumeObservation, { readonly state: 'ready' }>,
): string | null {
  const size = 'size' in configuration ? configuration.size : null;
  if (usedGib === null || size === null || usedGib <= size) return null;
  return `${EXCESS}${rounded(usedGib)}GB, more than its size of ${rounded(size)}GB`;
}

const rounded = (gib: number): string => String(Math.round(gib * 10) / 10);

/** Marks an unused volume for deletion after the time in its configuration. */
export function cleanUp(pass: VolumePass): void {
  const at = volumeCleanupAt(pass.volume, isUsed(pass));
  if (at === null) return;
  if (pass.now < at) {
    pass.draft.dueAt(at);
    return;
  }
  pass.set({ toBeDeleted: true });
  pass.draft.event(
    recordEvent({
      action: 'volume.deletion_requested',
      data: { by: 'auto-cleanup' },
      targets: pass.targets,
    }),
  );
}

function isUsed({ snapshot, draft }: VolumePass): boolean {
  return snapshot.uses.length > 0 || draft.attachments.all().length > 0;
}

/**
 * When an unused volume is deleted automatically; null = never, or not in its present state. An
 * attachment or detachment signals a pass.
 */
export function volumeCleanupAt(volume: VolumeRecord, used: boolean): Timestamp | null {
  const seconds = volume.configuration.auto_cleanup_duration;
  if (seconds === null || seconds < 0 || volume.external || used) return null;
  if (!isVolumeActive(volume.status) || volume.toBeDeleted) return null;
  return (volume.lastJobProcessedAt ?? volume.createdAt) + seconds * SECOND;
}
