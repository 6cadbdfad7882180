import { SECOND, type Timestamp, type Unobserved, withUnobserved } from '@dstack/core';
import type { Logger } from '../process/logging.ts';
import { LEASE, type ServerClock } from './server-clock.ts';

/** When servers worked on a database. */
export interface ServedTime {
  /** The last time at which one certainly did. */
  readonly at: Timestamp;
  /** Since when at least one has worked without an outage; 0 = always. */
  readonly since: Timestamp;
  /** When none worked, oldest first. Omitted by older versions, which knew only the end of the last outage. */
  readonly outages?: readonly Unobserved[];
  /** The only server ended in order, at `at`. */
  readonly ended: boolean;
  /** The process that has recorded it. Omitted by older versions. */
  readonly by?: string;
}

export interface OutageWatchOptions {
  readonly clock: ServerClock;
  /** Null: no server has recorded it yet. */
  readonly load: () => Promise<ServedTime | null>;
  readonly save: (served: ServedTime) => Promise<void>;
  /** Whether no server has ever worked on the database. */
  readonly isNew: () => Promise<boolean>;
  /** Other servers may work on the database. */
  readonly isShared: boolean;
  /** Random id of this process. */
  readonly owner: string;
  /** Whether this server can open no connection: it would notice no answer. */
  readonly isShort: () => boolean;
  readonly log: Logger;
}

/** At rest a server writes nothing else, so it is as seldom as the sweep. */
const PERIOD_MS = 60_000;

/** The first record after the start comes sooner, so that servers that work for less than a period count for something. */
const FIRST_PERIOD_MS = 15_000;

/** A server that was killed may have worked until its next record was due, which may be late. */
const LONGEST_SILENCE = 90 * SECOND;

/**
 * Records when servers work, and treats a time in which none did as a jump of the clock: agents, hosts and
 * providers could report nothing, so it counts for no deadline by which they have to answer. After a kill it begins with the
 * last record, so it may be up to a period too long. A server that can open no connection records nothing: the next process
 * learns of that time, and it learns itself whether another server works meanwhile.
 */
export class OutageWatch {
  readonly #options: OutageWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isStarted = false;
  #recordedAt = Number.NEGATIVE_INFINITY;

  constructor(options: OutageWatchOptions) {
    this.#options = options;
  }

  /** Before anything is decided. Throws the error of the database. */
  async start(): Promise<void> {
    await this.#record();
    this.#later(FIRST_PERIOD_MS);
  }

  /** Records when the only server ended, so that the next start sees how long there was none. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const { clock, load, save, isShared, isShort, owner, log } = this.#options;
    if (isShared || isShort()) return;
    try {
      const last = await load();
      if (last !== null) await save({ ...last, at: clock.now(), ended: true, by: owner });
    } catch (error) {
      log.warn({ err: error }, 'the end of this server was not recorded');
    }
  }

  #later(ms: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(async () => {
      await this.#record().catch((error) => {
        this.#options.log.warn({ err: error }, 'the time of work was not recorded');
      });
      this.#later(PERIOD_MS);
    }, ms).unref();
  }

  async #record(): Promise<void> {
    const { clock, load, save, owner, isShort } = this.#options;
    const last = await load();
    const now = clock.now();
    if (last !== null && last.by !== owner && last.at <= now) clock.othersServed(last.at);
    const hasFiles = !isShort();
    // Without files, the time since the start is in the shortages of this process.
    const outage = hasFiles || !this.#isStarted ? await this.#outage(last, now) : null;
    this.#isStarted = true;
    if (outage !== null) this.#report(last, now);
    const past = last === null ? [] : outagesUntil(last, now);
    const outages = outage === null ? past : withUnobserved(past, outage);
    clock.missed(outages);
    if (this.#isClosed || !hasFiles) return;
    const since = outages.at(-1)?.until ?? 0;
    await save({ at: now, since, outages, ended: false, by: owner });
    this.#recordedAt = now;
  }

  /** The time without a server that ends now; null: one has worked until now. */
  async #outage(last: ServedTime | null, now: Timestamp): Promise<Unobserved | null> {
    if (last === null) return (await this.#options.isNew()) ? null : { from: 0, until: now };
    const hasWorked = now - this.#recordedAt <= LONGEST_SILENCE;
    if (last.since <= now && (hasWorked || isRecent(last, now))) return null;
    // If a record lies ahead of the clock, nothing is certain, also not the times before it.
    return { from: last.at > now || last.since > now ? 0 : last.at, until: now };
  }

  #report(last: ServedTime | null, now: Timestamp): void {
    if (last === null) return;
    const seconds = Math.round((now - last.at) / SECOND);
    this.#options.log.info(
      { seconds },
      'no server could work on this database meanwhile: hosts and providers get their whole time to answer again',
    );
  }
}

/** A time of work that lies ahead was recorded by a wrong clock: nothing is known about the time since. */
function isRecent({ at, ended }: ServedTime, now: Timestamp): boolean {
  const passed = now - at;
  return passed > -LEASE && passed <= (ended ? LEASE : LONGEST_SILENCE);
}

function outagesUntil({ since, outages }: ServedTime, now: Timestamp): readonly Unobserved[] {
  const known = outages ?? (since > 0 ? [{ from: 0, until: since }] : []);
  return known.filter(({ until }) => until <= now);
}
