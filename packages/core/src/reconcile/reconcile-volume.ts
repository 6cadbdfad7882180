/** The next step of a volume: what becomes of a new one, the end of an unused one, its deletion. */

import { sameJson } from '../compare/same.ts';
import { newEvent, volumeTarget } from '../events/events.ts';
import type {
  Decision,
  DecisionContext,
  NewEvent,
  Timestamp,
  VolumeRecord,
  VolumeSnapshot,
} from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import {
  assertTransition,
  isVolumeActive,
  isVolumePassing,
  VOLUME_TRANSITIONS,
} from '../status/index.ts';

/**
 * No backend of this server makes or registers volumes, so a new one fails at once and says why,
 * and there is nothing at a provider that a deletion would have to wait for.
 */
export function reconcileVolume(snapshot: VolumeSnapshot, { now }: DecisionContext): Decision {
  const events: NewEvent[] = [];
  let volume = snapshot.volume;
  if (!volume.deleted) {
    if (!volume.toBeDeleted && isVolumePassing(volume.status)) volume = fail(snapshot, events);
    const cleanupAt = volumeCleanupAt(volume, snapshot.attachments);
    if (cleanupAt !== null && cleanupAt <= now) {
      volume = { ...volume, toBeDeleted: true };
      events.push(
        newEvent('Volume marked for deletion due to auto-cleanup', [volumeTarget(volume)]),
      );
    }
    if (volume.toBeDeleted) {
      volume = { ...volume, deleted: true, deletedAt: now };
      events.push(newEvent('Volume deleted', [volumeTarget(volume)]));
    }
    volume = { ...volume, nextPassAt: volumeCleanupAt(volume, snapshot.attachments) };
  }
  return decision(snapshot.volume, volume, events, now);
}

/**
 * When a volume that nobody uses is deleted by itself; null = never, or not while it is as it is.
 * Whoever attaches or detaches it signals a pass.
 */
export function volumeCleanupAt(volume: VolumeRecord, attachments: number): Timestamp | null {
  const seconds = volume.configuration.auto_cleanup_duration;
  if (seconds === null || seconds < 0 || volume.external || attachments > 0) return null;
  if (!isVolumeActive(volume.status) || volume.toBeDeleted) return null;
  return (volume.lastJobProcessedAt ?? volume.createdAt) + seconds * SECOND;
}

function fail(snapshot: VolumeSnapshot, events: NewEvent[]): VolumeRecord {
  const { volume, backendConfigured, projectName } = snapshot;
  const verb = volume.external ? 'register' : 'create';
  const statusMessage = backendConfigured
    ? `This server cannot ${verb} volumes in backend ${volume.backend}`
    : `Backend ${volume.backend} is not configured in project ${projectName}`;
  assertTransition('volume', VOLUME_TRANSITIONS, volume.status, 'failed');
  const text = `Volume status changed ${volume.status.toUpperCase()} -> FAILED (${statusMessage})`;
  events.push(newEvent(text, [volumeTarget(volume)]));
  return { ...volume, status: 'failed', statusMessage };
}

function decision(
  before: VolumeRecord,
  after: VolumeRecord,
  events: readonly NewEvent[],
  now: Timestamp,
): Decision {
  const { id, version, projectId: _, ...set } = after;
  const summary = { volume: id, from: before.status, to: after.status, deleted: after.deleted };
  if (sameJson(before, after)) return { changes: [], signals: [], summary };
  return {
    changes: [
      { type: 'volume.update', id, version, set: { ...set, lastProcessedAt: now } },
      ...events.map((event) => ({ type: 'event', event }) as const),
    ],
    signals: [],
    summary,
  };
}
