import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isServerAway, type ServerLink } from '../link/server-link.ts';
import type { ProxyLog } from '../log.ts';
import type { CountedSecond } from '../values.ts';
import type { KeptFiles } from '../worker/protocol.ts';
import { keepTogether, type SpoolKind } from './spool.ts';

/** Requests of one second, as they are kept until the server has stored them. */
export interface KeptCount extends CountedSecond {
  /** The run is to be examined at once. */
  readonly wakes?: true;
}

/** Counts that the disk did not take. */
export interface UnkeptCounts {
  readonly counts: readonly KeptCount[];
}

/** Seconds; older counts are in no window of scaling. */
const WANTED_SECONDS = 600;
/** The process that leads a worker is asked to deliver at most this often (ms), but for the first wake-up of a run. */
const DELIVER_MS = 1000;
/** Runs whose last wake-up is remembered. */
const MOST_RUNS = 10_000;

/** `now`: microseconds since the epoch. */
export function keptCounts(now: () => number): SpoolKind<KeptCount> {
  return {
    keyOf: ({ runId, second }) => `${runId} ${second}`,
    sum: (one, other) => ({ ...one, ...other, requests: one.requests + other.requests }),
    isWanted: ({ second }) => second > now() / 1_000_000 - WANTED_SECONDS,
  };
}

export interface KeptCountsOptions {
  readonly link: Pick<ServerLink, 'ask' | 'isAlone'>;
  /** The folder of this worker, or of all workers of a gateway. */
  readonly dir: string;
  /** Milliseconds. */
  readonly now: () => number;
  readonly log: ProxyLog;
}

/** Keeps counted requests on the disk, where no killed process loses them; the process that leads this worker delivers them. */
export class KeptCounts {
  readonly #options: KeptCountsOptions;
  /** Files that were written while no process led this worker, the oldest first. */
  #alone: { readonly name: string; readonly at: number }[] = [];
  #timer: NodeJS.Timeout | null = null;
  /** Whether the disk refused the last counts; each failure in a row is not worth a line. */
  #isFull = false;
  /** When each run was woken last, in milliseconds. */
  readonly #wokenAt = new Map<string, number>();

  constructor(options: KeptCountsOptions) {
    this.#options = options;
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  }

  /** `wakes`: runs to examine at once. */
  async add(counts: readonly CountedSecond[], wakes: readonly string[]): Promise<void> {
    const { link, dir, log } = this.#options;
    const waking = new Set(wakes);
    const items = counts.map((one) =>
      waking.has(one.runId) ? { ...one, wakes: true as const } : one,
    );
    try {
      this.#noteAlone(keepTogether(dir, items));
    } catch (error) {
      // A full disk: services start and scale nevertheless, but a killed process loses these.
      if (!this.#isFull) log.warn({ err: error }, 'requests of services cannot be kept');
      this.#isFull = true;
      await this.#ask('count', { counts: items } satisfies UnkeptCounts);
      return;
    }
    this.#isFull = false;
    if (link.isAlone) return;
    if (this.#isUrgent(wakes)) await this.#deliver();
    else this.#timer ??= setTimeout(() => void this.#deliver(), DELIVER_MS).unref();
  }

  /** Requests that wait for a replica wake its run all the time: once a second is enough. */
  #isUrgent(wakes: readonly string[]): boolean {
    const now = this.#options.now();
    const urgent = wakes.filter((runId) => {
      return Math.abs(now - (this.#wokenAt.get(runId) ?? 0)) >= DELIVER_MS;
    });
    if (this.#wokenAt.size > MOST_RUNS) this.#wokenAt.clear();
    for (const runId of urgent) this.#wokenAt.set(runId, now);
    return urgent.length > 0;
  }

  async #deliver(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#ask('deliver', { kind: 'counts', files: [], tokens: [] } satisfies KeptFiles);
  }

  async #ask(type: string, data: unknown): Promise<void> {
    try {
      await this.#options.link.ask(type, data);
    } catch (error) {
      // Delivered once there is a server.
      if (!isServerAway(error)) this.#options.log.warn({ err: error }, 'requests are stored later');
    }
  }

  /** No process adds them up while this worker is alone: old ones have no meaning and are removed. */
  #noteAlone(name: string): void {
    const { link, dir, now } = this.#options;
    if (!link.isAlone) {
      this.#alone = [];
      return;
    }
    this.#alone.push({ name, at: now() });
    const over = this.#alone.findIndex(({ at }) => now() - at < WANTED_SECONDS * 1000);
    for (const old of this.#alone.splice(0, Math.max(0, over))) {
      rmSync(join(dir, old.name), { force: true });
    }
  }
}
