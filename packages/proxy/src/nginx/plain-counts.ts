/** The counts of nginx, in the form in which workers report them. */
import type { CountedService } from '../counts/proxy-figures.ts';
import { NO_LATENCIES } from '../policy/latency-totals.ts';
import type { TotalsByReplica } from '../policy/replica-totals.ts';
import type { RawStats } from '../policy/service-stats.ts';
import type { EjectedReplica } from '../replicas/replica-health.ts';

/** One answer of nginx. */
export interface Tick {
  /** Another one: its memory is new, and all counts begin again. */
  readonly epoch: string;
  readonly runs: ReadonlyMap<string, RunTick>;
  /** The answers of replicas, by job. */
  readonly jobs: ReadonlyMap<string, RunTick>;
  /** Requests begun, by run, of services that scale by them. */
  readonly begun: ReadonlyMap<string, number>;
  /** Requests in flight, by job and process. */
  readonly inFlight: readonly { readonly job: string; readonly pid: number; readonly n: number }[];
  readonly ejected: readonly AvoidedReplica[];
}

interface RunTick {
  /** The text that nginx sent: the sum of all durations in milliseconds. */
  readonly ms: string;
  /** By `class:duration:latency`; of a job by `class:duration`, or `f`: no answer. */
  readonly counts: ReadonlyMap<string, number>;
}

export interface AvoidedReplica extends Pick<EjectedReplica, 'runId' | 'jobId' | 'why'> {
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export function tickOf(text: string): Tick {
  const runs = new Map<string, { ms: string; counts: Map<string, number> }>();
  const jobs = new Map<string, { ms: string; counts: Map<string, number> }>();
  const begun = new Map<string, number>();
  const inFlight: Tick['inFlight'][number][] = [];
  const ejected: AvoidedReplica[] = [];
  let epoch = '';
  for (const line of text.split('\n')) {
    const [kind, ...rest] = line.split('\t');
    const [first = '', second = '', third = ''] = rest;
    if (kind === 'e') epoch = first;
    else if (kind === 's') runs.set(first, { ms: second, counts: new Map() });
    else if (kind === 'n') runs.get(first)?.counts.set(second, Number(third));
    else if (kind === 't') jobs.set(first, { ms: second, counts: new Map() });
    else if (kind === 'm') jobs.get(first)?.counts.set(second, Number(third));
    else if (kind === 'b') begun.set(first, Number(second));
    else if (kind === 'f') inFlight.push({ job: first, pid: Number(second), n: Number(third) });
    else if (kind === 'x') {
      const [figure = 0, others = 0, until = 0] = rest.slice(3).map(Number);
      const why =
        third === 'errors_in_row'
          ? ({ cause: third, errors: figure } as const)
          : ({ cause: 'error_rate', rate: figure, others } as const);
      ejected.push({ runId: first, jobId: second, why, until });
    }
  }
  return { epoch, runs, jobs, begun, inFlight, ejected };
}

/** The same as in `service-stats.ts`. */
const SLICE_MS = 10_000;
const SLICES = 6;

interface Slice {
  readonly number: number;
  errors: number;
  readonly buckets: Map<number, number>;
}

interface Known {
  /** As nginx has sent them last. */
  last: RunTick;
  /** Counted since this process began to look, by the keys of `RunTick.counts`. */
  readonly totals: Map<string, number>;
  /** The sum of their durations. */
  ms: number;
  readonly slices: Slice[];
}

const newKnown = (): Known => ({
  ...{ last: { ms: '', counts: new Map() }, totals: new Map(), ms: 0, slices: [] },
});

/** Totals of the requests of each run and each replica, and those of the last minute by when they were seen. */
export class PlainCounts {
  readonly #now: () => number;
  readonly #runs = new Map<string, Known>();

  /** `now`: milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Returns the counts that nginx need not send again. */
  seen(runId: string): string {
    return this.#runs.get(runId)?.last.ms ?? '';
  }

  /** `kept`: less than all of it, if it was counted before this process began to look. */
  put(runId: string, tick: RunTick, kept: 'all' | 'totals' | 'nothing' = 'all'): void {
    const known = this.#runs.get(runId) ?? newKnown();
    this.#runs.set(runId, known);
    const { last, totals, slices } = known;
    // A count may be missing in an answer.
    known.last = { ms: tick.ms, counts: new Map([...last.counts, ...tick.counts]) };
    if (kept === 'nothing') return;
    // When the earlier ones were is not known.
    const slice = kept === 'all' ? this.#slice(slices) : null;
    for (const [key, count] of tick.counts) {
      const more = increase(count, last.counts.get(key) ?? 0);
      if (more === 0) continue;
      const [hundreds = '', , latency = ''] = key.split(':');
      const bucket = Number(latency);
      if (slice !== null) {
        if (Number(hundreds) >= 5) slice.errors += more;
        slice.buckets.set(bucket, (slice.buckets.get(bucket) ?? 0) + more);
      }
      totals.set(key, (totals.get(key) ?? 0) + more);
    }
    known.ms += increase(Number(tick.ms), Number(last.ms));
  }

  #slice(slices: Slice[]): Slice {
    const number = Math.floor(this.#now() / SLICE_MS);
    const latest = slices.at(-1);
    if (latest?.number === number) return latest;
    const slice = { number, errors: 0, buckets: new Map<number, number>() };
    slices.push(slice);
    if (slices.length > SLICES) slices.shift();
    return slice;
  }

  raw(runId: string): RawStats {
    const known = this.#runs.get(runId);
    if (known === undefined) return { answered: {}, slices: [] };
    const answered: Record<string, number> = {};
    const latencies = [...NO_LATENCIES.counts];
    for (const [key, count] of known.totals) {
      const [hundreds = '', duration = ''] = key.split(':');
      answered[`${hundreds}xx`] = (answered[`${hundreds}xx`] ?? 0) + count;
      latencies[Number(duration)] = (latencies[Number(duration)] ?? 0) + count;
    }
    const slices = known.slices.map(({ number, errors, buckets }) => ({
      ...{ number, errors, buckets: [...buckets] },
      count: [...buckets.values()].reduce((sum, count) => sum + count, 0),
    }));
    return { answered, latencies: { seconds: known.ms / 1000, counts: latencies }, slices };
  }

  /** The answers of these jobs, by job; without those that have had no request. */
  byReplica(jobIds: readonly string[]): TotalsByReplica {
    return Object.fromEntries(
      jobIds.flatMap((jobId) => {
        const known = this.#runs.get(jobId);
        return known ? [[jobId, replicaTotals(known)]] : [];
      }),
    );
  }

  keepOnly(runIds: ReadonlySet<string>): void {
    for (const runId of this.#runs.keys()) if (!runIds.has(runId)) this.#runs.delete(runId);
  }
}

/** nginx forgets counts if their memory is full, and begins again; what it had counted before stays counted. */
const increase = (now: number, before: number): number => (now < before ? now : now - before);

function replicaTotals({ totals, ms }: Known): TotalsByReplica[string] {
  const answered: Record<string, number> = {};
  const counts = [...NO_LATENCIES.counts];
  for (const [key, count] of totals) {
    const [hundreds = '', duration] = key.split(':');
    const outcome = duration === undefined ? 'failed' : `${hundreds}xx`;
    answered[outcome] = (answered[outcome] ?? 0) + count;
    if (duration !== undefined) counts[Number(duration)] = (counts[Number(duration)] ?? 0) + count;
  }
  return { answered, latencies: { seconds: ms / 1000, counts } };
}

/** `CountedService` of a run that nginx answers. */
export function countedBy(
  name: Pick<CountedService, 'runId' | 'projectName' | 'runName'>,
  raw: RawStats,
  now: Required<Pick<CountedService, 'inFlight' | 'ejected' | 'replicas' | 'byReplica'>>,
): CountedService {
  return { ...name, ...now, held: 0, raw };
}
