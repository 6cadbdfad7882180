import { randomUUID } from 'node:crypto';
import type { Claims } from '@dstack/backends';
import {
  hindranceOf,
  judgeClaims,
  type SweepRecord,
  soleSince,
  type Timestamp,
  withNonce,
} from '@dstack/core';
import type { Store } from '@dstack/store';

/** Name of the claimant in the facts about the installation. */
const CLAIMANT = 'sweep_claimant';

export interface ClaimKeeperOptions {
  readonly store: Pick<Store, 'meta' | 'sweeps'>;
  readonly serverId: string;
  readonly now: () => Timestamp;
  /** Since when `now` has passed evenly; omitted: always. */
  readonly steadySince?: () => Timestamp;
}

/** Renews this installation's claims. Only the server that sweeps calls it. */
export class ClaimKeeper {
  readonly #options: ClaimKeeperOptions;
  /** Since when this process sees no rival, by sweep. */
  readonly #sole = new Map<string, Timestamp>();

  constructor(options: ClaimKeeperOptions) {
    this.#options = options;
  }

  /**
   * Renews the claim. Returns the sweep with the new nonce, and the hindrance to ending orphans.
   */
  async renew(claims: Claims, sweep: SweepRecord): Promise<SweepRecord> {
    const { store, now } = this.#options;
    const owner = { server: this.#options.serverId };
    const found = await claims.read(owner);
    // Read after the claims: every nonce of this installation is in the database before it is in
    // the account.
    const own = { claimant: await this.#claimant(), nonces: await this.#nonces() };
    const verdict = judgeClaims(own, found, { now: now(), newId: randomUUID });
    if (verdict.claimant !== own.claimant) await store.meta.set(CLAIMANT, verdict.claimant);
    const nonce = randomUUID();
    const renewed = { ...sweep, nonces: withNonce(sweep.nonces, nonce) };
    // Written first: a nonce that only the account had would look like another installation's.
    await store.sweeps.save({ sweep: renewed });
    await claims.renew(owner, { claimant: verdict.claimant, nonce });
    const before = this.#sole.get(keyOf(sweep)) ?? null;
    const since = soleSince(before, verdict, now(), this.#options.steadySince?.() ?? null);
    if (since === null) this.#sole.delete(keyOf(sweep));
    else this.#sole.set(keyOf(sweep), since);
    return { ...renewed, hindrance: hindranceOf(verdict, since, now()) };
  }

  /** The claim could not be read or renewed: the watch starts anew. */
  lose(sweep: SweepRecord): void {
    this.#sole.delete(keyOf(sweep));
  }

  async #claimant(): Promise<string> {
    const { meta } = this.#options.store;
    return (await meta.get(CLAIMANT)) ?? (await meta.setOnce(CLAIMANT, randomUUID()));
  }

  /** The nonces of all sweeps: two projects may have the same account. */
  async #nonces(): Promise<ReadonlySet<string>> {
    const sweeps = await this.#options.store.sweeps.list();
    return new Set(sweeps.flatMap(({ nonces }) => nonces));
  }
}

const keyOf = ({ projectId, backend }: SweepRecord): string => `${projectId}/${backend}`;
