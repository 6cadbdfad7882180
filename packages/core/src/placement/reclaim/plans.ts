/** The places that gangs have asked for: others ask for what they leave. */
import type { Id, PlannedShare, ReclaimRecord } from '../../model/index.ts';
import type { Claim } from '../../quotas/claims.ts';
import type { FleetOption } from '../place/fleet-option.ts';
import type { Others } from './trial.ts';

/** By gang. */
export class Plans {
  readonly #plans = new Map<
    string,
    { readonly reclaim: ReclaimRecord; readonly leaving: readonly Claim[] }
  >();

  /** `leaving`: those who have to leave for the gang, and are still there. */
  add(key: string, reclaim: ReclaimRecord, leaving: readonly Claim[]): void {
    this.#plans.set(key, { reclaim, leaving });
  }

  /** All plans but those of this gang. */
  without(key: string): Others {
    const kept = new Set<Id>();
    const planned = new Map<Id, number>();
    const plan = (id: Id, blocks: number) => planned.set(id, (planned.get(id) ?? 0) + blocks);
    for (const [other, { reclaim, leaving }] of this.#plans) {
      if (other === key) continue;
      if (reclaim.shares === undefined) {
        for (const id of reclaim.instances) kept.add(id);
        continue;
      }
      for (const { instanceId, blocks } of reclaim.shares) plan(instanceId, blocks);
      for (const { instanceId, blocks } of leaving) plan(instanceId, -blocks);
    }
    return { kept, planned };
  }
}

export function sharesOf({ slots }: FleetOption): readonly PlannedShare[] {
  return slots.flatMap((slot) =>
    slot.kind === 'existing' ? [{ instanceId: slot.instance.id, blocks: slot.blocks }] : [],
  );
}
