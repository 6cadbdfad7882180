import type { ServiceName } from '../refusals/refusal.ts';
import { LastMinute, type RawSlice, SLICES } from './last-minute.ts';
import {
  durationBucket,
  type LatencyTotals,
  NO_LATENCIES,
  sumOfLatencies,
} from './latency-totals.ts';
import { recentPercentile, recentRequests } from './recent-requests.ts';

/** Requests of one service at this server. Times in milliseconds. */
export interface ServiceStats {
  /** Per second, over the last minute. */
  readonly rps: number;
  /** Times until the end of the answer, over the last minute; null = there was no request. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  /** Ended requests since the server started, by the hundreds of their status. */
  readonly answered: Readonly<Record<string, number>>;
  /** The latencies of the same requests; null = the process that has counted them does not report any. */
  readonly latencies: LatencyTotals | null;
}

/** Counts of one process, to be added to those of others. */
export interface RawStats {
  readonly answered: Readonly<Record<string, number>>;
  /** Programs of an earlier version have none. */
  readonly latencies?: LatencyTotals | undefined;
  readonly slices: readonly RawSlice[];
}

/** The counts of two processes together; of the last minute only the latest part. */
export function sumOfStats(one: RawStats, other: RawStats): RawStats {
  const slices = new Map(one.slices.map((slice) => [slice.number, slice]));
  for (const slice of other.slices) {
    const before = slices.get(slice.number);
    slices.set(slice.number, before ? sumOfSlices(before, slice) : slice);
  }
  const latest = [...slices.values()].sort((a, b) => b.number - a.number).slice(0, SLICES);
  const latencies = latenciesOf([one, other]);
  const answered = sumOfAnswered([one, other]);
  return { answered, slices: latest, ...(latencies && { latencies }) };
}

function sumOfAnswered(raws: readonly RawStats[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { answered } of raws) {
    for (const [status, more] of Object.entries(answered)) {
      sums[status] = (sums[status] ?? 0) + more;
    }
  }
  return sums;
}

/** Null: none of them reports it. */
function latenciesOf(raws: readonly RawStats[]): LatencyTotals | null {
  const known = raws.flatMap(({ latencies }) => latencies ?? []);
  return known.length === 0 ? null : known.reduce(sumOfLatencies);
}

function sumOfSlices(one: RawSlice, other: RawSlice): RawSlice {
  const buckets = new Map(one.buckets);
  for (const [bucket, many] of other.buckets)
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + many);
  const { number } = one;
  const isKnown = one.errors !== undefined && other.errors !== undefined;
  const errors = isKnown ? { errors: (one.errors ?? 0) + (other.errors ?? 0) } : {};
  return { number, count: one.count + other.count, ...errors, buckets: [...buckets] };
}

interface NamedService extends ServiceName {
  readonly runId: string;
}

/** Services that are remembered; the one without a request for longest is dropped. */
const MAX_SERVICES = 5000;

interface Known {
  readonly name: ServiceName;
  readonly minute: LastMinute;
  readonly answered: Record<string, number>;
  readonly latencies: { seconds: number; readonly counts: number[] };
}

/** Counts and durations of requests, in constant memory and time per request. */
export class RequestStats {
  readonly #now: () => number;
  readonly #services = new Map<string, Known>();
  /** The service that is last in the map; null: another one may be. */
  #latest: string | null = null;

  /** `now`: milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A request has begun: the service is among `services`, also if none of its requests ends for long. */
  begun({ runId, projectName, runName }: NamedService): void {
    if (runId === this.#latest || this.#services.has(runId)) return;
    this.#services.set(runId, newService({ projectName, runName }));
    this.#latest = null;
    if (this.#services.size > MAX_SERVICES) this.#dropOldest();
  }

  /** A request has ended. */
  add({ runId, projectName, runName }: NamedService, status: number, ms: number): void {
    const known = this.#services.get(runId) ?? newService({ projectName, runName });
    // Most requests are for the same service as the one before.
    if (runId !== this.#latest) {
      this.#services.delete(runId);
      this.#services.set(runId, known);
      this.#latest = runId;
      if (this.#services.size > MAX_SERVICES) this.#dropOldest();
    }
    const hundreds = `${Math.floor(status / 100)}xx`;
    known.answered[hundreds] = (known.answered[hundreds] ?? 0) + 1;
    known.minute.add(status, ms, this.#now());
    const all = known.latencies;
    all.seconds += ms / 1000;
    const within = durationBucket(ms / 1000);
    all.counts[within] = (all.counts[within] ?? 0) + 1;
  }

  /** A request has ended without an answer. `outcome` is counted beside the hundreds of statuses. */
  count({ runId, projectName, runName }: NamedService, outcome: string): void {
    const known = this.#services.get(runId) ?? newService({ projectName, runName });
    this.#services.set(runId, known);
    this.#latest = null;
    if (this.#services.size > MAX_SERVICES) this.#dropOldest();
    known.answered[outcome] = (known.answered[outcome] ?? 0) + 1;
  }

  /** `others`: what other processes have counted. */
  of(runId: string, others: readonly RawStats[] = []): ServiceStats {
    const now = this.#now();
    const own = this.#services.get(runId);
    const raws = own === undefined ? others : [rawOf(own, now), ...others];
    const recent = recentRequests(raws, now);
    return {
      rps: recent.requests / recent.seconds,
      p50: recentPercentile(recent, 0.5),
      p95: recentPercentile(recent, 0.95),
      p99: recentPercentile(recent, 0.99),
      answered: sumOfAnswered(raws),
      latencies: latenciesOf(raws),
    };
  }

  /** The counts of a service for another process. */
  raw(runId: string): RawStats {
    const known = this.#services.get(runId);
    return known === undefined ? { answered: {}, slices: [] } : rawOf(known, this.#now());
  }

  /** Services with requests since the server started. */
  get services(): NamedService[] {
    return [...this.#services].map(([runId, { name }]) => ({ runId, ...name }));
  }

  /** Those of these services that have had requests. */
  named(runIds: ReadonlySet<string>): NamedService[] {
    return [...runIds].flatMap((runId) => {
      const known = this.#services.get(runId);
      return known ? [{ runId, ...known.name }] : [];
    });
  }

  /** The service has ended. */
  forget(runId: string): void {
    this.#latest = null;
    this.#services.delete(runId);
  }

  #dropOldest(): void {
    for (const runId of this.#services.keys()) {
      this.#services.delete(runId);
      return;
    }
  }
}

function newService(name: ServiceName): Known {
  const latencies = { seconds: 0, counts: [...NO_LATENCIES.counts] };
  return { name, minute: new LastMinute(), answered: {}, latencies };
}

function rawOf({ answered, latencies, minute }: Known, now: number): RawStats {
  const { seconds, counts } = latencies;
  const totals = { answered: { ...answered }, latencies: { seconds, counts: [...counts] } };
  return { ...totals, slices: minute.slices(now) };
}
