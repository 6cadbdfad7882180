/** Signals that capacity became free; they wake waiting runs of every project that may use it. */

import { isServerHost } from '../capabilities/capabilities.ts';
import type { Draft } from '../draft/draft.ts';
import type { Id, InstanceRecord, Signal } from '../model/index.ts';

/** Capacity that became free, or that may have: the runs that wait for it are looked for. */
export type FreedCapacity =
  /** Capacity of a fleet, for every project that may use it. */
  | { readonly kind: 'fleet'; readonly fleetId: Id }
  /** Capacity that one project has, or that was held for one of its runs. */
  | { readonly kind: 'project'; readonly projectId: Id }
  /** Slots and GPUs of the server host, for every project. */
  | { readonly kind: 'server-host' };

const SERVER_HOST = 'local';

function signalOf(freed: FreedCapacity): Signal {
  switch (freed.kind) {
    case 'fleet':
      return { kind: 'capacity', id: `fleet:${freed.fleetId}` };
    case 'project':
      return { kind: 'capacity', id: `project:${freed.projectId}` };
    case 'server-host':
      return { kind: 'capacity', id: SERVER_HOST };
  }
}

/** Reads the id of such a signal; null for a text of another version of the server. */
export function freedCapacity(id: Signal['id']): FreedCapacity | null {
  if (id === SERVER_HOST) return { kind: 'server-host' };
  const colon = id.indexOf(':');
  const [kind, subject] = [id.slice(0, colon), id.slice(colon + 1)];
  if (kind === 'fleet') return { kind, fleetId: subject };
  return kind === 'project' ? { kind, projectId: subject } : null;
}

export const fleetCapacity = (fleetId: Id): Signal => signalOf({ kind: 'fleet', fleetId });

export const projectCapacity = (projectId: Id): Signal => signalOf({ kind: 'project', projectId });

export const LOCAL_CAPACITY: Signal = signalOf({ kind: 'server-host' });

/** Blocks of the instance, or its place in the fleet, became free. */
export function signalCapacity(
  draft: Draft,
  instance: Pick<InstanceRecord, 'fleetId' | 'backend'>,
): void {
  const { kind, id } = fleetCapacity(instance.fleetId);
  draft.signal(kind, id);
  if (isServerHost(instance.backend)) draft.signal(LOCAL_CAPACITY.kind, LOCAL_CAPACITY.id);
}
