/** Signals that work which waits may find a place now, in whichever project it is. */
import type { Draft } from '../draft/draft.ts';
import type { Id, InstanceRecord, Signal } from '../model/index.ts';

/** Capacity of a fleet, for its own project and those that import it. */
export const fleetCapacity = (fleetId: Id): Signal => ({
  kind: 'capacity',
  id: `fleet:${fleetId}`,
});

/** Slots and GPUs of the server's machine, for every project that may use it. */
export const LOCAL_CAPACITY: Signal = { kind: 'capacity', id: 'local' };

/** What a project held for itself, or waited for, in fleets that it shares with others. */
export const projectCapacity = (projectId: Id): Signal => ({
  kind: 'capacity',
  id: `project:${projectId}`,
});

/** Something of the instance, or its place in the fleet, is free. */
export function signalCapacity(
  draft: Draft,
  instance: Pick<InstanceRecord, 'fleetId' | 'backend'>,
): void {
  const { kind, id } = fleetCapacity(instance.fleetId);
  draft.signal(kind, id);
  if (instance.backend === 'local') draft.signal(LOCAL_CAPACITY.kind, LOCAL_CAPACITY.id);
}
