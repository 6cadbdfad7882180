import { LOAD_SLOT, latencyBucket } from '@dstack/contract/load';
import type { ProxyLog } from '../log.ts';
import type { ServiceTable } from '../routes/service-table.ts';
import type { MeasuredSlot } from '../values.ts';

export interface LoadMeterOptions {
  readonly services: Pick<ServiceTable, 'setLoad'>;
  /** Random id of this process. */
  readonly owner: string;
  /** Microseconds. */
  readonly now: () => number;
  readonly log: ProxyLog;
}

/** Written at most this often, in milliseconds. */
const FLUSH_MS = 1000;

interface Metered {
  inFlight: number;
  /** Microseconds: up to when the time in flight is added up. */
  addedUntil: number;
  /** Slots with news, by number. */
  readonly slots: Map<number, { busyMs: number; latencies: Record<number, number> }>;
}

const SLOT_US = LOAD_SLOT * 1_000_000;

/**
 * Measures requests in flight and latencies of services that scale by them. Does nothing while there are
 * none.
 */
export class LoadMeter {
  readonly #options: LoadMeterOptions;
  readonly #runs = new Map<string, Metered>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LoadMeterOptions) {
    this.#options = options;
  }

  /** Call the result once when the request has ended; `isLatency`: its duration counts as one. */
  begin(runId: string, isLatency: boolean): () => void {
    const begun = this.#options.now();
    const run = this.#runs.get(runId) ?? { inFlight: 0, addedUntil: begun, slots: new Map() };
    this.#runs.set(runId, run);
    addUp(run, begun);
    run.inFlight += 1;
    this.#flushLater();
    return () => {
      const now = this.#options.now();
      addUp(run, now);
      run.inFlight -= 1;
      if (!isLatency) return;
      const { latencies } = slotOf(run, Math.floor(now / SLOT_US));
      const bucket = latencyBucket((now - begun) / 1000);
      latencies[bucket] = (latencies[bucket] ?? 0) + 1;
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flush();
    clearTimeout(this.#timer);
  }

  #flushLater(): void {
    this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_MS).unref();
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const now = this.#options.now();
    const current = Math.floor(now / SLOT_US);
    const slots: MeasuredSlot[] = [];
    for (const [runId, run] of this.#runs) {
      addUp(run, now);
      for (const [slot, { busyMs, latencies }] of run.slots) {
        slots.push({ runId, slot, busyMs, latencies: { ...latencies } });
        if (slot < current) run.slots.delete(slot);
      }
      if (run.inFlight === 0 && run.slots.size === 0) this.#runs.delete(runId);
    }
    if (this.#runs.size > 0) this.#flushLater();
    const { services, owner, log } = this.#options;
    try {
      await services.setLoad(owner, slots);
    } catch (error) {
      log.warn({ err: error }, 'the load of services was not stored');
    }
  }
}

/** Adds the time since the last call to the slots that it lies in. */
function addUp(run: Metered, now: number): void {
  for (let from = run.addedUntil; run.inFlight > 0 && from < now; ) {
    const slot = Math.floor(from / SLOT_US);
    const to = Math.min(now, (slot + 1) * SLOT_US);
    slotOf(run, slot).busyMs += (run.inFlight * (to - from)) / 1000;
    from = to;
  }
  run.addedUntil = Math.max(run.addedUntil, now);
}

function slotOf(run: Metered, slot: number) {
  const known = run.slots.get(slot) ?? { busyMs: 0, latencies: {} };
  run.slots.set(slot, known);
  return known;
}
