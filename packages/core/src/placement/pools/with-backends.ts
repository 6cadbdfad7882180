import type {
  BackendSilence,
  CapacityHints,
  Id,
  PlacementSnapshot,
  PoolProject,
  WaitingPool,
} from '../../model/index.ts';

/** Nothing is known: placement asks for nothing again by itself. */
const UNKNOWN: CapacityHints = { offersOnly: new Set(), hasPolledBackends: false };

/** Adds what is known of the projects' backends. */
export function withBackends(
  { rights, ...pool }: WaitingPool,
  backendsOf: (projectId: Id) => (CapacityHints & BackendSilence) | null,
): PlacementSnapshot {
  const projects = new Map<Id, PoolProject>();
  for (const [id, fleets] of rights) projects.set(id, { ...(backendsOf(id) ?? UNKNOWN), fleets });
  return { ...pool, projects };
}
