/** The requests of services, added up over the workers, for the server. */
import { FIGURES, type GatewayCounts, type GatewayFrame } from '@dstack/contract/agent';
import {
  type CountedService,
  type RawStats,
  sumOfStats,
  sumOfTotals,
  type TotalsByReplica,
} from '@dstack/proxy';

type Frame = Extract<GatewayFrame, { type: 'figures' }>;

/** Counts of a service, which are kept when a worker ends. */
interface Counts {
  readonly requests: RawStats;
  readonly mirrored: RawStats;
  readonly replicas: TotalsByReplica;
}

const NOTHING: RawStats = { answered: {}, slices: [] };
const NONE: Counts = { requests: NOTHING, mirrored: NOTHING, replicas: {} };

export class Figures<Worker> {
  readonly #send: (frame: Frame) => boolean;
  readonly #workers = new Map<Worker, Map<string, CountedService>>();
  /** Counts of workers that have ended, by run, because totals must never become smaller. */
  readonly #ended = new Map<string, Counts>();
  readonly #changed = new Set<string>();

  /** `send`: false = there is no server now. */
  constructor(send: (frame: Frame) => boolean) {
    this.#send = send;
  }

  /** A worker has counted. */
  put(worker: Worker, services: readonly CountedService[]): void {
    const known = this.#workers.get(worker) ?? new Map<string, CountedService>();
    this.#workers.set(worker, known);
    for (const one of services) {
      known.set(one.runId, one);
      this.#changed.add(one.runId);
    }
  }

  ended(worker: Worker): void {
    const services = this.#workers.get(worker);
    this.#workers.delete(worker);
    for (const [runId, one] of services ?? []) {
      this.#ended.set(runId, added(this.#ended.get(runId) ?? NONE, one));
      this.#changed.add(runId);
    }
  }

  /** Forgets all others. */
  keepOnly(runIds: ReadonlySet<string>): void {
    for (const known of [this.#ended, this.#changed, ...this.#workers.values()]) {
      for (const runId of known.keys()) if (!runIds.has(runId)) known.delete(runId);
    }
  }

  /** A server that has just connected knows nothing. */
  connected(): void {
    for (const known of [this.#ended, ...this.#workers.values()]) {
      for (const runId of known.keys()) this.#changed.add(runId);
    }
    this.deliver();
  }

  deliver(): void {
    while (this.#changed.size > 0) {
      const next = [...this.#changed].slice(0, FIGURES);
      const services = next.map((runId) => this.#of(runId));
      if (!this.#send({ type: 'figures', services })) return;
      for (const runId of next) this.#changed.delete(runId);
    }
  }

  #of(runId: string): GatewayCounts {
    const parts = [...this.#workers.values()].flatMap((known) => known.get(runId) ?? []);
    const counts = parts.reduce(added, this.#ended.get(runId) ?? NONE);
    return {
      run_id: runId,
      in_flight: sum(parts.map((one) => one.inFlight)),
      held: sum(parts.map((one) => one.held)),
      // Each worker ejects by the connections that it has tried.
      ejected: Math.max(0, ...parts.map((one) => one.ejected)),
      requests: inWireForm(counts.requests),
      mirrored: inWireForm(counts.mirrored),
      replicas: Object.fromEntries(
        Object.entries(counts.replicas).map(([jobId, { answered, latencies }]) => [
          jobId,
          { answered, latencies: { ...latencies, counts: [...latencies.counts] } },
        ]),
      ),
    };
  }
}

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

const added = (
  counts: Counts,
  { raw, rawMirrored = NOTHING, byReplica = {} }: CountedService,
): Counts => ({
  requests: sumOfStats(counts.requests, raw),
  mirrored: sumOfStats(counts.mirrored, rawMirrored),
  replicas: sumOfTotals(counts.replicas, byReplica),
});

const inWireForm = ({ answered, latencies, slices }: RawStats): GatewayCounts['requests'] => ({
  answered,
  ...(latencies && { latencies: { seconds: latencies.seconds, counts: [...latencies.counts] } }),
  slices: slices.map(({ number, count, buckets }) => ({
    ...{ number, count, buckets: buckets.map((pair) => [...pair]) },
  })),
});
