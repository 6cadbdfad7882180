import { LATENCY_BUCKETS, latencyBound, latencyBucket } from '@dstack/contract/load';
import type { ServiceName } from '../refusals/refusal.ts';
import {
  durationBucket,
  type LatencyTotals,
  NO_LATENCIES,
  sumOfLatencies,
} from './latency-totals.ts';

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

/** Counts of another process, to be added. `buckets`: numbers and counts of those that are not empty. */
export interface RawStats {
  readonly answered: Readonly<Record<string, number>>;
  /** Programs of an earlier version have none. */
  readonly latencies?: LatencyTotals | undefined;
  readonly slices: readonly {
    readonly number: number;
    readonly count: number;
    /** How many of them were answered by 5xx. Programs of an earlier version report none. */
    readonly errors?: number | undefined;
    readonly buckets: readonly (readonly [number, number])[];
  }[];
}

/** The counts of two processes together; of the last minute only the latest part. */
export function sumOfStats(one: RawStats, other: RawStats): RawStats {
  const answered = { ...one.answered };
  for (const [status, more] of Object.entries(other.answered)) {
    answered[status] = (answered[status] ?? 0) + more;
  }
  const slices = new Map(one.slices.map((slice) => [slice.number, slice]));
  for (const slice of other.slices) {
    const before = slices.get(slice.number);
    slices.set(slice.number, before ? sumOfSlices(before, slice) : slice);
  }
  const latest = [...slices.values()].sort((a, b) => b.number - a.number).slice(0, SLICES);
  const latencies = latenciesOf([one, other]);
  return { answered, slices: latest, ...(latencies && { latencies }) };
}

/** Null: none of them reports it. */
function latenciesOf(raws: readonly RawStats[]): LatencyTotals | null {
  const known = raws.flatMap(({ latencies }) => latencies ?? []);
  return known.length === 0 ? null : known.reduce(sumOfLatencies);
}

type RawSlice = RawStats['slices'][number];

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

/** The last minute, in slices that are dropped one by one. */
export const SLICE_MS = 10_000;
export const SLICES = 6;

const BOUNDS = Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => latencyBound(bucket));

/** Services that are remembered; the one without a request for longest is dropped. */
const MAX_SERVICES = 5000;

interface Slice {
  /** The number of the slice since the epoch. */
  number: number;
  count: number;
  errors: number;
  readonly buckets: Uint32Array;
}

interface Known {
  readonly name: ServiceName;
  readonly slices: Slice[];
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
    const number = Math.floor(this.#now() / SLICE_MS);
    const slice = known.slices[number % SLICES] as Slice;
    if (slice.number !== number) {
      slice.number = number;
      slice.count = 0;
      slice.errors = 0;
      slice.buckets.fill(0);
    }
    slice.count += 1;
    if (status >= 500) slice.errors += 1;
    const bucket = latencyBucket(ms);
    slice.buckets[bucket] = (slice.buckets[bucket] ?? 0) + 1;
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
    const known = this.#services.get(runId) ?? newService(NAMELESS);
    const now = this.#now();
    const current = Math.floor(now / SLICE_MS);
    const slices = [
      ...known.slices,
      ...others.flatMap((other) => other.slices.map(sliceOf)),
    ].filter(({ number }) => number > current - SLICES);
    const count = slices.reduce((sum, slice) => sum + slice.count, 0);
    const seconds = ((SLICES - 1) * SLICE_MS + (now % SLICE_MS)) / 1000;
    const [p50 = null, p95 = null, p99 = null] = percentiles(slices, count);
    const answered = { ...known.answered };
    for (const other of others) {
      for (const [status, more] of Object.entries(other.answered)) {
        answered[status] = (answered[status] ?? 0) + more;
      }
    }
    const own = this.#services.get(runId);
    const latencies = latenciesOf(own === undefined ? others : [rawOfKnown(own, []), ...others]);
    return { rps: count / seconds, p50, p95, p99, answered, latencies };
  }

  /** The counts of a service for another process. */
  raw(runId: string): RawStats {
    const known = this.#services.get(runId);
    if (known === undefined) return { answered: {}, slices: [] };
    const oldest = Math.floor(this.#now() / SLICE_MS) - SLICES;
    const slices = known.slices.filter(({ number }) => number > oldest);
    return rawOfKnown(known, slices.map(rawOf));
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

const NAMELESS: ServiceName = { projectName: '', runName: '' };

function newService(name: ServiceName): Known {
  const slices = Array.from({ length: SLICES }, () => ({
    ...{ number: -1, count: 0, errors: 0, buckets: new Uint32Array(LATENCY_BUCKETS) },
  }));
  const latencies = { seconds: 0, counts: [...NO_LATENCIES.counts] };
  return { name, slices, answered: {}, latencies };
}

function rawOfKnown({ answered, latencies }: Known, slices: readonly RawSlice[]): RawStats {
  const { seconds, counts } = latencies;
  return { answered: { ...answered }, latencies: { seconds, counts: [...counts] }, slices };
}

function rawOf({ number, count, errors, buckets }: Slice): RawSlice {
  const used: [number, number][] = [];
  for (const [bucket, many] of buckets.entries()) if (many > 0) used.push([bucket, many]);
  return { number, count, errors, buckets: used };
}

function sliceOf({ number, count, errors = 0, buckets }: RawStats['slices'][number]): Slice {
  const slice = { number, count, errors, buckets: new Uint32Array(LATENCY_BUCKETS) };
  for (const [bucket, many] of buckets) slice.buckets[bucket] = many;
  return slice;
}

function percentiles(slices: readonly Slice[], count: number): number[] {
  if (count === 0) return [];
  return [0.5, 0.95, 0.99].map((part) => {
    let left = Math.ceil(count * part);
    for (const [n, bound] of BOUNDS.entries()) {
      for (const { buckets } of slices) left -= buckets[n] ?? 0;
      if (left <= 0) return Math.round(bound * 100) / 100;
    }
    return BOUNDS.at(-1) ?? 0;
  });
}
