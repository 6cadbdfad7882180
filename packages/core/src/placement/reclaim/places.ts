/** Sets of gangs that leave one place: those that have run least are often on many hosts, and free none of them. */
import type { Id } from '../../model/index.ts';
import type { PlacedGang } from '../../quotas/claims.ts';

/** Gangs by instance; first the instances on which the lowest priority runs, then those with the fewest blocks in use. */
export function byInstance(gangs: readonly PlacedGang[]): readonly (readonly PlacedGang[])[] {
  const places = new Map<Id, Set<PlacedGang>>();
  for (const one of gangs) {
    for (const { instanceId } of one.claims) {
      places.set(instanceId, (places.get(instanceId) ?? new Set()).add(one));
    }
  }
  const ranked = [...places].map(([id, own]) => ({
    ...{ id, gangs: [...own] },
    priority: Math.max(...[...own].map((one) => one.priority)),
    blocks: [...own].reduce((sum, one) => sum + blocksOf(one), 0),
  }));
  ranked.sort((a, b) => a.priority - b.priority || a.blocks - b.blocks || (a.id < b.id ? -1 : 1));
  return ranked.map((one) => one.gangs);
}

/** Those of the gangs that are on one of these instances. */
export function gangsOn(
  gangs: readonly PlacedGang[],
  instanceIds: ReadonlySet<Id>,
): readonly PlacedGang[] {
  return gangs.filter(({ claims }) => claims.some(({ instanceId }) => instanceIds.has(instanceId)));
}

const blocksOf = ({ claims }: PlacedGang): number =>
  claims.reduce((sum, { blocks }) => sum + blocks, 0);
