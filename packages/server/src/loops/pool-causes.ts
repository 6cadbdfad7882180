import type { Id } from '@dstack/core';
import type { Examined } from '@dstack/store';

/**
 * Why the pass of a pool is due. After new work alone, gangs that wait need no look: nothing that they
 * could use has changed. A pass that is repeated examines everything.
 */
export class PoolCauses {
  readonly #newWork = new Set<Id>();
  readonly #others = new Set<Id>();

  newWork(poolId: Id): void {
    this.#newWork.add(poolId);
  }

  other(poolId: Id): void {
    this.#others.add(poolId);
  }

  /** Called at the beginning of a pass: later causes are of the next one. */
  take(poolId: Id): Examined {
    const hasOthers = this.#others.delete(poolId);
    return this.#newWork.delete(poolId) && !hasOthers ? 'new' : 'all';
  }
}
