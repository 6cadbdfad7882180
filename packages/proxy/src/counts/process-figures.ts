import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ProxyLog } from '../log.ts';
import { sumOfTotals } from '../policy/replica-totals.ts';
import { type RawStats, sumOfStats } from '../policy/service-stats.ts';
import { sumOfReplicas } from './counted-replica.ts';
import { totalsOfModel } from './model-stats.ts';
import { type CountedService, countedModelOf, type OtherFigures } from './proxy-figures.ts';

/** Services of ended processes that are remembered; those that were added first are dropped. */
const MAX_SERVICES = 5000;

const NOTHING: RawStats = { answered: {}, slices: [] };

/**
 * The figures of all processes that answer requests. Those of processes that have ended are kept, because totals must
 * never become smaller.
 */
export class ProcessFigures<Process> implements OtherFigures {
  readonly #present = new Map<Process, Map<string, CountedService>>();
  readonly #ended: Map<string, CountedService>;
  /** The figures of the process that adds them up. */
  #own: readonly CountedService[] = [];
  readonly #path: string | null;
  readonly #log: Pick<ProxyLog, 'warn'> | null;
  #isStored = true;

  /** `path`: of the file with the totals of ended processes, whose folder exists by then; null = there is none. */
  constructor(path: string | null = null, log: Pick<ProxyLog, 'warn'> | null = null) {
    this.#path = path;
    this.#log = log;
    // Ended processes have no replicas; an earlier program may not have stored that.
    this.#ended = new Map(stored(path).map((one) => [one.runId, { ...one, replicas: [] }]));
  }

  /** The figures of these services have changed. */
  put(process: Process, changed: readonly CountedService[]): void {
    const known = this.#present.get(process) ?? new Map<string, CountedService>();
    this.#present.set(process, known);
    for (const one of changed) known.set(one.runId, one);
  }

  /** Returns the ids of its services. Its requests under way have ended with it. */
  ended(process: Process): string[] {
    const known = this.#present.get(process);
    this.#present.delete(process);
    if (known === undefined) return [];
    for (const one of known.values()) addTotals(this.#ended, one);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= MAX_SERVICES) break;
      this.#ended.delete(oldest);
    }
    this.#store();
    return [...known.keys()];
  }

  /**
   * Stores the figures of the process that adds them up beside those of ended ones, because it may be killed. They are not
   * among `parts` before the next start.
   */
  storeOwn(own: readonly CountedService[]): void {
    this.#own = own;
    this.#store();
  }

  /** The processes go on, and report their figures to another one. */
  detach(): void {
    this.#present.clear();
  }

  forget(runId: string): void {
    for (const known of this.#present.values()) known.delete(runId);
    const isOwn = this.#own.some((one) => one.runId === runId);
    if (isOwn) this.#own = this.#own.filter((one) => one.runId !== runId);
    if (this.#ended.delete(runId) || isOwn) this.#store();
  }

  /** For each service, what each process has counted. */
  get parts(): CountedService[] {
    return [this.#ended, ...this.#present.values()].flatMap((known) => [...known.values()]);
  }

  /** The same of one service. */
  partsOf(runId: string): CountedService[] {
    const maps = [this.#ended, ...this.#present.values()];
    return maps.flatMap((known) => known.get(runId) ?? []);
  }

  /** All of one service; null = there is nothing. */
  of(runId: string): CountedService | null {
    const [first, ...others] = this.partsOf(runId);
    return first ? others.reduce(sumOfServices, first) : null;
  }

  #store(): void {
    if (this.#path === null) return;
    const all = new Map(this.#ended);
    for (const one of this.#own) addTotals(all, one);
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify([...all.values()]), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
      this.#isStored = true;
    } catch (error) {
      // Once for each full disk. The next totals contain these, so that nothing is lost once there is room again.
      if (this.#isStored) {
        this.#log?.warn(
          { err: error, path: this.#path },
          'The totals of requests cannot be stored: those since then are lost if this program ends before there is room',
        );
      }
      this.#isStored = false;
    }
  }
}

/** `all`: those that were added first are first. */
function addTotals(all: Map<string, CountedService>, one: CountedService): void {
  const before = all.get(one.runId);
  all.delete(one.runId);
  all.set(one.runId, withoutRequests(before ? sumOfServices(before, one) : one));
}

function sumOfServices(one: CountedService, other: CountedService): CountedService {
  return {
    ...other,
    inFlight: one.inFlight + other.inFlight,
    held: one.held + other.held,
    // Each process ejects by the connections that it has tried.
    ejected: Math.max(one.ejected, other.ejected),
    raw: sumOfStats(one.raw, other.raw),
    rawMirrored: sumOfStats(one.rawMirrored ?? NOTHING, other.rawMirrored ?? NOTHING),
    byReplica: sumOfTotals(one.byReplica ?? {}, other.byReplica ?? {}),
    replicas: sumOfReplicas([one.replicas ?? [], other.replicas ?? []]),
    model: countedModelOf([one.model ?? null, other.model ?? null]),
  };
}

const withoutRequests = (one: CountedService): CountedService => ({
  ...{ ...one, inFlight: 0, held: 0, ejected: 0, replicas: [] },
  model: totalsOfModel(one.model),
});

function stored(path: string | null): CountedService[] {
  try {
    return path === null ? [] : (JSON.parse(readFileSync(path, 'utf8')) as CountedService[]);
  } catch {
    // No process has ended yet.
    return [];
  }
}
