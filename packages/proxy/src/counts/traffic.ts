import type { ProxyLog } from '../log.ts';
import type { ServiceTable } from '../routes/service-table.ts';

export interface TrafficOptions {
  readonly services: Pick<ServiceTable, 'addRequests'>;
  /** Counts are written at most this often, in milliseconds. */
  readonly everyMs: () => number;
  /** Random id of this process. */
  readonly owner: string;
  /** Microseconds. */
  readonly now: () => number;
  readonly log: ProxyLog;
}

/**
 * A run with requests in its window re-evaluates its demand by itself. Within the shortest window
 * (µs) after the previous one, a request need not signal the run.
 */
const QUIET = 30_000_000;

const MAX_REMEMBERED = 10_000;

/** Counts requests of services that scale by demand. Does nothing while there are none. */
export class Traffic {
  readonly #options: TrafficOptions;
  readonly #counts = new Map<string, { runId: string; second: number; requests: number }>();
  readonly #lastAt = new Map<string, number>();
  readonly #wake = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #soon = false;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /** `waiting`: there is no replica that could answer. */
  count(runId: string, waiting: boolean): void {
    const now = this.#options.now();
    const second = Math.floor(now / 1_000_000);
    const key = `${runId} ${second}`;
    const known = this.#counts.get(key);
    if (known) known.requests += 1;
    else this.#counts.set(key, { runId, second, requests: 1 });
    const before = this.#lastAt.get(runId);
    this.#lastAt.set(runId, now);
    // A dropped run is signalled once more than needed.
    if (this.#lastAt.size > MAX_REMEMBERED) this.#lastAt.clear();
    const isFirst = before === undefined || now - before >= QUIET;
    if (isFirst || waiting) this.#wake.add(runId);
    this.#flushLater(isFirst);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flush();
  }

  #flushLater(soon: boolean): void {
    if (this.#timer && (this.#soon || !soon)) return;
    clearTimeout(this.#timer);
    this.#soon = soon;
    this.#timer = setTimeout(() => void this.#flush(), soon ? 0 : this.#options.everyMs()).unref();
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    this.#soon = false;
    const counts = [...this.#counts.values()];
    const signals = [...this.#wake].map((id) => ({ kind: 'run' as const, id }));
    this.#counts.clear();
    this.#wake.clear();
    if (counts.length === 0) return;
    const { services, owner, log } = this.#options;
    try {
      await services.addRequests(owner, counts, { signals });
    } catch (error) {
      log.warn({ err: error }, 'requests of services were not counted');
    }
  }
}
