/** Signals that capacity became free; they wake waiting runs of every project that may use it. */

import type { Draft } from '../draft/draft.ts';
import type { Id, InstanceRecord, Signal } from '../model/index.ts';
import { isServerHost } from '../offers/capabilities.ts';

/** Capacity of a fleet, for its own project and those that import it. */
export const fleetCapacity = (fleetId: Id): Signal => ({
  kind: 'capacity',
  id: `fleet:${fleetId}`,
});

/** Slots and GPUs of the server host, for every project that may use it. */
export const LOCAL_CAPACITY: Signal = { kind: 'capacity', id: 'local' };

/** Capacity of shared fleets that placement held for a waiting run of the project. */
export const projectCapacity = (projectId: Id): Signal => ({
  kind: 'capacity',
  id: `project:${projectId}`,
});

/**
 * Capacity that other projects left to runs of this project, because these were ahead. They have a
 * place now, so the others may use that capacity.
 */
export const capacityLeftTo = (projectId: Id): Signal => ({
  kind: 'capacity',
  id: `others:${projectId}`,
});

/** Blocks of the instance, or its place in the fleet, became free. */
export function signalCapacity(
  draft: Draft,
  instance: Pick<InstanceRecord, 'fleetId' | 'backend'>,
): void {
  const { kind, id } = fleetCapacity(instance.fleetId);
  draft.signal(kind, id);
  if (isServerHost(instance.backend)) draft.signal(LOCAL_CAPACITY.kind, LOCAL_CAPACITY.id);
}
