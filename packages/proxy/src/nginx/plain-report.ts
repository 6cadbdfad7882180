/** Reports the requests that nginx answered itself, in the way in which workers report theirs. */
import { type CountedReplica, sumOfReplicas } from '../counts/counted-replica.ts';
import type { CountedService } from '../counts/proxy-figures.ts';
import { recentRequests } from '../policy/recent-requests.ts';
import type { EjectedReplica } from '../replicas/replica-health.ts';
import type { CountedSecond } from '../values.ts';
import type { PushedService } from '../worker/protocol.ts';
import { countedBy, PlainCounts, type Tick } from './plain-counts.ts';

/** Where the requests are reported. */
export interface PlainReports {
  /** `wakes`: runs to examine at once. */
  count(counts: readonly CountedSecond[], wakes: readonly string[]): void;
  avoided(ejected: EjectedReplica): void;
  figures(changed: readonly CountedService[]): void;
}

export interface PlainReportOptions {
  /** All: nginx may have answered requests of one that workers answer now. */
  readonly services: () => readonly PushedService[];
  /** Whether nginx alone knows the totals from before this process, which would become smaller without them. */
  readonly keepsTotals: boolean;
  readonly reports: PlainReports;
  /** The memory of nginx is new. */
  readonly onRestart: () => void;
}

/** The same as in `traffic.ts`. */
const QUIET_MS = 30_000;

export class PlainReport {
  readonly #options: PlainReportOptions;
  #counts = new PlainCounts(Date.now);
  /** Requests begun, as they were seen last; null = this process has not looked yet. */
  #begun: ReadonlyMap<string, number> | null = null;
  /** When a run had requests last, in milliseconds. */
  readonly #demand = new Map<string, number>();
  readonly #shown = new Map<string, string>();
  /** Replicas that were reported as avoided, and until when (milliseconds since the epoch). */
  readonly #avoided = new Map<string, number>();
  #epoch = '';

  constructor(options: PlainReportOptions) {
    this.#options = options;
  }

  /** Names the memory of nginx. */
  get epoch(): string {
    return this.#epoch;
  }

  /** See `PlainCounts.seen`. */
  seen(runId: string): string {
    return this.#counts.seen(runId);
  }

  take(tick: Tick): void {
    const isFirst = this.#begun === null;
    if (tick.epoch !== this.#epoch) {
      if (!isFirst) {
        this.#options.onRestart();
        this.#counts = new PlainCounts(Date.now);
        this.#begun = new Map();
      }
      this.#epoch = tick.epoch;
    }
    const earlier = isFirst ? (this.#options.keepsTotals ? 'totals' : 'nothing') : 'all';
    for (const [runId, run] of tick.runs) this.#counts.put(runId, run, earlier);
    for (const [jobId, job] of tick.jobs) this.#counts.put(jobId, job, earlier);
    this.#countDemand(tick);
    this.#report(tick);
    this.#reportAvoided(tick);
  }

  /** Requests of services that scale by them. */
  #countDemand({ begun }: Tick): void {
    const before = this.#begun;
    this.#begun = begun;
    // An earlier process has counted the requests that it has seen.
    if (before === null) return;
    const now = Date.now();
    const counts = [...begun].flatMap(([runId, count]) => {
      const requests = count - (before.get(runId) ?? 0);
      return requests > 0 ? [{ runId, second: Math.floor(now / 1000), requests }] : [];
    });
    if (counts.length === 0) return;
    const wakes = counts.map(({ runId }) => runId).filter((id) => this.#isQuiet(id, now));
    for (const { runId } of counts) this.#demand.set(runId, now);
    this.#options.reports.count(counts, wakes);
  }

  /** A run with requests evaluates its demand by itself. */
  #isQuiet(runId: string, now: number): boolean {
    return now - (this.#demand.get(runId) ?? 0) >= QUIET_MS;
  }

  /** Each process of nginx avoids a replica by itself, and for a time of its own. */
  #reportAvoided({ ejected }: Tick): void {
    const now = Date.now();
    for (const [jobId, until] of this.#avoided) if (until <= now) this.#avoided.delete(jobId);
    for (const one of ejected) {
      if (one.until <= now || this.#avoided.has(one.jobId)) continue;
      this.#avoided.set(one.jobId, one.until);
      this.#options.reports.avoided({ ...one, ms: one.until - now });
    }
  }

  #report(tick: Tick): void {
    const services = this.#options.services();
    const present = new Set(services.map(({ route }) => route.runId));
    this.#counts.keepOnly(new Set([...present, ...services.flatMap(({ route }) => jobsOf(route))]));
    for (const known of [this.#shown, this.#demand]) {
      for (const runId of known.keys()) if (!present.has(runId)) known.delete(runId);
    }
    const changed = services.flatMap(({ route }) => {
      const { runId, projectName, runName } = route;
      const own = new Set(jobsOf(route));
      const replicas = sumOfReplicas([replicasIn(tick, runId, own), this.#uncounted(runId, own)]);
      const inFlight = sum(replicas.map((one) => one.inFlight));
      const ejected = replicas.filter(({ avoided }) => avoided !== null).length;
      const byReplica = this.#counts.byReplica(jobsOf(route));
      const text = JSON.stringify(replicas);
      const isSame = !tick.runs.has(runId) && this.#shown.get(runId) === text;
      if (isSame || (!this.#shown.has(runId) && this.#counts.seen(runId) === '')) return [];
      this.#shown.set(runId, text);
      const counts = { inFlight, ejected, replicas, byReplica };
      return [countedBy({ runId, projectName, runName }, this.#counts.raw(runId), counts)];
    });
    if (changed.length > 0) this.#options.reports.figures(changed);
  }

  /** Nginx does not count by replica, so the counts of workers alone would be too low. */
  #uncounted(runId: string, own: ReadonlySet<string>): CountedReplica[] {
    if (this.#counts.seen(runId) === '') return [];
    const { requests } = recentRequests([this.#counts.raw(runId)], Date.now());
    const named = { inFlight: 0, avoided: null, recent: null };
    return requests === 0 ? [] : [...own].map((jobId) => ({ jobId, ...named }));
  }
}

/** Replicas (`own`: their jobs) over the processes of nginx. */
function replicasIn(tick: Tick, runId: string, own: ReadonlySet<string>): CountedReplica[] {
  const busy = tick.inFlight
    .filter(({ job }) => own.has(job))
    .map(({ job: jobId, n: inFlight }) => ({ jobId, inFlight, avoided: null, recent: null }));
  const avoided = tick.ejected
    .filter((one) => one.runId === runId)
    .map(({ jobId, until, why }) => ({
      ...{ jobId, inFlight: 0, avoided: { until, why }, recent: null },
    }));
  return sumOfReplicas([busy, avoided]);
}

const jobsOf = ({ replicas }: PushedService['route']) => replicas.map(({ jobId }) => jobId);

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
