import { errorMessage } from '@dstack/contract/error-message';
import {
  capabilitiesOf,
  type Id,
  isNews,
  isWorthStoring,
  notAskedYet,
  notObserved,
  observed,
  type Timestamp,
  type VolumeObservationRecord,
  type VolumeRecord,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { ProjectBackends } from '../offers/project-backends.ts';
import type { Logger } from '../process/logging.ts';
import type { WorkEnding } from '../queues/work-queue.ts';

export interface VolumeObservationDeps {
  readonly store: Pick<Store, 'volumes' | 'volumeObservations'>;
  readonly backends: Pick<ProjectBackends, 'find'>;
  /** Another server is linked to the host. */
  readonly hosts: { isElsewhere(hostId: string): Promise<boolean> };
  readonly now: () => Timestamp;
  /** Sets or clears the alarm of the next observation. */
  readonly arm: (kind: 'volume-observation', id: Id, at: Timestamp | null) => void;
  readonly log: Logger;
}

/**
 * Observes a volume at its backend and stores the answer for the pass of the volume, which decides.
 * Without an answer only the time of the next observation changes.
 */
export function volumeObservationPass(
  deps: VolumeObservationDeps,
): (id: Id) => Promise<WorkEnding> {
  return async (id) => {
    const { store, arm, now } = deps;
    const volume = (await store.volumes.byId(id))?.volume;
    const [known] = await store.volumeObservations.byVolumes([id]);
    if (!volume?.handle || volume.deleted || volume.toBeDeleted) {
      if (known?.nextPassAt) await store.volumeObservations.save({ ...known, nextPassAt: null });
      arm('volume-observation', id, null);
      return { ending: 'done' };
    }
    if (volume.hostId !== null && (await deps.hosts.isElsewhere(volume.hostId))) {
      // Its sweep finds it; this server's sweep looks at the host again.
      arm('volume-observation', id, null);
      return { ending: 'done' };
    }
    const before = known ?? { volumeId: id, ...notAskedYet(now()) };
    const after = await ask(deps, volume, before);
    const isFirst = known === undefined;
    const signals = isFirst || isNews(before, after) ? [{ kind: 'volume' as const, id }] : [];
    if (isWorthStoring(known, after)) await store.volumeObservations.save(after, { signals });
    arm('volume-observation', id, after.nextPassAt);
    return { ending: 'done' };
  };
}

async function ask(
  { backends, now, log }: VolumeObservationDeps,
  volume: VolumeRecord,
  before: VolumeObservationRecord,
): Promise<VolumeObservationRecord> {
  const backend = await backends.find(volume.projectId, volume.backend);
  if (!backend?.volumes || !volume.handle) {
    return notObserved(before, `backend ${volume.backend} is not configured`, now());
  }
  try {
    const observation = await backend.volumes.observe(volume.handle);
    return observed(before, observation, { now: now(), isSettled: false });
  } catch (error) {
    const message = errorMessage(error);
    const isKnown = before.error === message;
    // A host may be unreachable for days.
    if (!isKnown && capabilitiesOf(volume.backend).owner === 'provider') {
      log.warn({ volume: volume.name, err: error }, 'volume not observed');
    }
    return notObserved(before, message, now());
  }
}
