import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

export interface HostLeasesOptions {
  readonly store: { readonly shared: boolean; readonly engine: LeaseStore };
  /** Random id of this process. */
  readonly owner: string;
  readonly log: Logger;
  /** Another server may be linked to this host by now. */
  readonly onLost: (hostId: string) => void;
  /** The server that was linked to this host has ended. */
  readonly onOrphan: (hostId: string) => Promise<void>;
}

type LeaseStore = Pick<
  Store['engine'],
  'claimHost' | 'renewHosts' | 'releaseHost' | 'hostOwner' | 'orphanedHosts'
>;

/** A link is leased for this long (µs), and the lease renewed this often. */
const LEASE = 9_000_000;
const RENEW_MS = 3000;

/**
 * Decides which of several servers is linked to a host. A single server holds every lease and
 * stores none.
 */
export class HostLeases {
  readonly #options: HostLeasesOptions;
  /** Until when this server certainly holds each lease, by this process's clock (milliseconds). */
  readonly #held = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HostLeasesOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#options.store.shared) this.#later();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  holds(hostId: string): boolean {
    if (!this.#options.store.shared) return true;
    return (this.#held.get(hostId) ?? 0) > performance.now();
  }

  async claim(hostId: string): Promise<boolean> {
    const { store, owner } = this.#options;
    if (!store.shared || this.holds(hostId)) return true;
    const until = performance.now() + LEASE / 1000;
    if (!(await store.engine.claimHost(hostId, owner, LEASE))) return false;
    this.#held.set(hostId, until);
    return true;
  }

  /** Other servers may be linked to it at once. */
  async release(hostId: string): Promise<void> {
    const { store, owner } = this.#options;
    if (!this.#held.delete(hostId)) return;
    await store.engine.releaseHost(hostId, owner);
  }

  /** Whether another living server is linked to this host. */
  async isElsewhere(hostId: string): Promise<boolean> {
    const { store, owner } = this.#options;
    if (!store.shared || this.holds(hostId)) return false;
    const holder = await store.engine.hostOwner(hostId);
    return holder !== null && holder !== owner;
  }

  #later(): void {
    this.#timer = setTimeout(async () => {
      await this.#renew().catch((error) => {
        this.#options.log.warn({ err: error }, 'leases of links could not be renewed');
      });
      this.#dropLate();
      if (this.#timer) this.#later();
    }, RENEW_MS).unref();
  }

  async #renew(): Promise<void> {
    const { engine } = this.#options.store;
    const until = performance.now() + LEASE / 1000;
    const held = [...this.#held];
    // All in one statement: one after another, thousands of them would expire in the meantime.
    const ids = held.map(([hostId]) => hostId);
    const renewed = new Set(await engine.renewHosts(ids, this.#options.owner, LEASE));
    for (const [hostId, before] of held) {
      // Released or claimed anew while the database was working.
      if (this.#held.get(hostId) !== before) continue;
      if (renewed.has(hostId)) this.#held.set(hostId, until);
      else this.#lose(hostId);
    }
    for (const hostId of await engine.orphanedHosts()) await this.#reportOrphan(hostId);
  }

  /**
   * Under the host's lease: a server that links to it at this moment must not find its own report
   * overwritten.
   */
  async #reportOrphan(hostId: string): Promise<void> {
    const { store, owner, onOrphan } = this.#options;
    if (!(await store.engine.claimHost(hostId, owner, LEASE))) return;
    try {
      await onOrphan(hostId);
    } finally {
      await store.engine.releaseHost(hostId, owner);
    }
  }

  /** Another server may hold the leases that could not be renewed in time. */
  #dropLate(): void {
    for (const hostId of [...this.#held.keys()]) if (!this.holds(hostId)) this.#lose(hostId);
  }

  #lose(hostId: string): void {
    if (this.#held.delete(hostId)) this.#options.onLost(hostId);
  }
}
