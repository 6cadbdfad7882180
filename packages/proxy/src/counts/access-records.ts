import type { AccessRecord } from '@dstack/contract/wire';

/** The latest requests of each service that are kept. */
const KEPT = 200;

/** Services with kept requests; the one without requests for longest is dropped. */
const MOST_SERVICES = 500;

export interface AccessPage {
  readonly records: readonly AccessRecord[];
  /** The number of the next request. */
  readonly next: number;
  /** Requests since `after` that are no longer kept. */
  readonly skipped: number;
}

interface Ring {
  readonly records: AccessRecord[];
  next: number;
}

/**
 * The latest requests of services, for those who read them now. They cost one object per request: however
 * many there are, the number that is kept, sent and shown is bounded.
 */
export class AccessRecords {
  readonly #services = new Map<string, Ring>();
  /** The service that is last in the map. */
  #latest: string | null = null;

  add(runId: string, record: AccessRecord): void {
    const ring = this.#services.get(runId) ?? { records: [], next: 0 };
    ring.records[ring.next % KEPT] = record;
    ring.next += 1;
    if (runId === this.#latest) return;
    this.#services.delete(runId);
    this.#services.set(runId, ring);
    this.#latest = runId;
    if (this.#services.size <= MOST_SERVICES) return;
    const [oldest] = this.#services.keys();
    if (oldest !== undefined) this.#services.delete(oldest);
  }

  /** Requests that have ended since number `after`; null = all that are kept. */
  since(runId: string, after: number | null): AccessPage {
    const { records, next } = this.#services.get(runId) ?? { records: [], next: 0 };
    const kept = Math.max(0, next - KEPT);
    // A number from before a restart, or from before the service was dropped, is too high.
    const wanted = after === null ? kept : after > next ? 0 : after;
    const first = Math.max(wanted, kept);
    const found: AccessRecord[] = [];
    for (let number = first; number < next; number++) {
      const record = records[number % KEPT];
      if (record) found.push(record);
    }
    return { records: found, next, skipped: first - wanted };
  }
}
