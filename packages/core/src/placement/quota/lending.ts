import type { Id } from '../../model/index.ts';

/**
 * What a gang is entitled to that waits: instances that it could use, and new ones of their fleets. No other gang borrows it
 * meanwhile, or every new borrower would be protected for a while again.
 */
export class Lending {
  readonly #instances = new Set<Id>();
  readonly #fleets = new Set<Id>();
  #isBorrower = false;

  /** Of the gang that is looked at next. */
  lookFor(gang: { readonly isEntitled: boolean }): void {
    this.#isBorrower = !gang.isEntitled;
  }

  close(fleetId: Id, instanceIds: readonly Id[]): void {
    this.#fleets.add(fleetId);
    for (const id of instanceIds) this.#instances.add(id);
  }

  mayTake(instanceId: Id): boolean {
    return !this.#isBorrower || !this.#instances.has(instanceId);
  }

  mayGrow(fleetId: Id): boolean {
    return !this.#isBorrower || !this.#fleets.has(fleetId);
  }
}
