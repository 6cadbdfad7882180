import type { Id } from '../../model/index.ts';

/**
 * Capacity to which a waiting gang is entitled: instances that it could use, and new ones of their fleets. No other
 * gang borrows it meanwhile, or every new borrower would be protected for a while again.
 */
export class Lending {
  readonly #instances = new Set<Id>();
  readonly #fleets = new Set<Id>();
  #isBorrower = false;

  /** Sets the gang that is examined next. */
  lookFor(gang: { readonly isEntitled: boolean }): void {
    this.#isBorrower = !gang.isEntitled;
  }

  /** `mayGrow`: new instances of the fleet are kept for it too. */
  close(part: {
    readonly fleetId: Id;
    readonly instanceIds: readonly Id[];
    readonly mayGrow: boolean;
  }): void {
    if (part.mayGrow) this.#fleets.add(part.fleetId);
    for (const id of part.instanceIds) this.#instances.add(id);
  }

  mayTake(instanceId: Id): boolean {
    return !this.#isBorrower || !this.#instances.has(instanceId);
  }

  mayGrow(fleetId: Id): boolean {
    return !this.#isBorrower || !this.#fleets.has(fleetId);
  }
}
