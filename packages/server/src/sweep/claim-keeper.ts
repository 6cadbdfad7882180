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
/** Nonces of sweeps that were forgotten, newest first. */
const RETIRED = 'sweep_retired_nonces';
const MOST_RETIRED = 400;

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
  /** The renewal under way, or the last one, by backend. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: ClaimKeeperOptions) {
    this.#options = options;
  }

  /**
   * Renews the claim. Returns the sweep with the new nonce, and the hindrance to ending orphans. Projects may
   * share an account: one after another, each replaces the claim of the one before. Together, all would add one,
   * and then each would remove those of all.
   */
  async renew(claims: Claims, sweep: SweepRecord): Promise<SweepRecord> {
    const before = this.#turns.get(sweep.backend);
    const renewing = (before ?? Promise.resolve()).then(() => this.#renew(claims, sweep));
    this.#turns.set(
      sweep.backend,
      renewing.catch(() => {}),
    );
    return await renewing;
  }

  async #renew(claims: Claims, sweep: SweepRecord): Promise<SweepRecord> {
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
    // Other projects with the account will read the claim of this renewal, and not that there was none.
    if (verdict.isOwnMissing) this.#watchAnew(sweep.backend, now());
    if (since === null) this.#sole.delete(keyOf(sweep));
    else this.#sole.set(keyOf(sweep), since);
    return { ...renewed, hindrance: hindranceOf(verdict, since, now()) };
  }

  /** Which projects have the same account is not known, so all with the backend count as such. */
  #watchAnew(backend: string, now: Timestamp): void {
    for (const key of this.#sole.keys()) if (key.endsWith(`/${backend}`)) this.#sole.set(key, now);
  }

  /** The claim could not be read or renewed: the watch starts anew. */
  lose(sweep: SweepRecord): void {
    this.#sole.delete(keyOf(sweep));
  }

  /**
   * Call it before the sweep is forgotten. The account still has its claim, which must not look like a rival's:
   * another project may have the account too, or the backend may be configured again.
   */
  async retire({ nonces }: Pick<SweepRecord, 'nonces'>): Promise<void> {
    const kept = new Set([...nonces, ...(await this.#retired())]);
    await this.#options.store.meta.set(RETIRED, JSON.stringify([...kept].slice(0, MOST_RETIRED)));
  }

  async #retired(): Promise<readonly string[]> {
    const text = await this.#options.store.meta.get(RETIRED);
    return text === null ? [] : (JSON.parse(text) as readonly string[]);
  }

  async #claimant(): Promise<string> {
    const { meta } = this.#options.store;
    return (await meta.get(CLAIMANT)) ?? (await meta.setOnce(CLAIMANT, randomUUID()));
  }

  /** The nonces of all sweeps, also of former ones: two projects may have the same account. */
  async #nonces(): Promise<ReadonlySet<string>> {
    const sweeps = await this.#options.store.sweeps.list();
    return new Set([...sweeps.flatMap(({ nonces }) => nonces), ...(await this.#retired())]);
  }
}

const keyOf = ({ projectId, backend }: SweepRecord): string => `${projectId}/${backend}`;
