/**
 * Bounds what callers hold open that have proved nothing yet, for each network and for all. A flood
 * from one network must not keep callers of another one out, nor those of its own for long: the oldest
 * of the flood makes room once it has had its time.
 */
export interface StrangerLimits {
  readonly perNetwork: number;
  readonly total: number;
  /** Milliseconds in which an honest caller is done; an older one makes room for a new one. */
  readonly graceMs: number;
}

interface Stranger {
  readonly since: number;
  readonly evict: () => void;
}

export class StrangerLimit {
  readonly #limits: StrangerLimits;
  readonly #now: () => number;
  /** By network; the oldest first. */
  readonly #networks = new Map<string, Set<Stranger>>();
  #count = 0;

  /** `now`: milliseconds that never go back. */
  constructor(limits: StrangerLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** How many there are now. */
  get count(): number {
    return this.#count;
  }

  /**
   * Returns what to call when the caller has proved who it is, or has disconnected; calling it again has no
   * effect. Null: there is no room. `evict` closes the connection; it may be called within `enter` of
   * another caller.
   */
  enter(network: string, evict: () => void): (() => void) | null {
    const { perNetwork, total } = this.#limits;
    const own = this.#networks.get(network)?.size ?? 0;
    if (own >= perNetwork && !this.#makeRoom(network)) return null;
    if (this.#count >= total) {
      const largest = this.#largest();
      // A network that holds less than another one need not wait for it.
      if (largest.size > own + 1) this.#evictOldest(largest.network);
      else if (!this.#makeRoom(largest.network)) return null;
    }
    const stranger = { since: this.#now(), evict };
    this.#add(network, stranger);
    return () => this.#remove(network, stranger);
  }

  #makeRoom(network: string): boolean {
    const [oldest] = this.#networks.get(network) ?? [];
    if (!oldest || this.#now() - oldest.since < this.#limits.graceMs) return false;
    this.#evictOldest(network);
    return true;
  }

  #evictOldest(network: string): void {
    const [oldest] = this.#networks.get(network) ?? [];
    if (!oldest) return;
    this.#remove(network, oldest);
    oldest.evict();
  }

  #largest(): { readonly network: string; readonly size: number } {
    let largest = { network: '', size: 0 };
    for (const [network, { size }] of this.#networks) {
      if (size > largest.size) largest = { network, size };
    }
    return largest;
  }

  #add(network: string, stranger: Stranger): void {
    const strangers = this.#networks.get(network) ?? new Set();
    this.#networks.set(network, strangers.add(stranger));
    this.#count++;
  }

  #remove(network: string, stranger: Stranger): void {
    const strangers = this.#networks.get(network);
    if (!strangers?.delete(stranger)) return;
    this.#count--;
    if (strangers.size === 0) this.#networks.delete(network);
  }
}
