import { SECOND, type Timestamp } from '@dstack/core';
import type { Logger } from '../process/logging.ts';
import { type ClockSample, LEASE, type ServerClock } from './server-clock.ts';

export interface ClockWatchOptions {
  readonly clock: ServerClock;
  /** Monotonic milliseconds, the clock of `ClockSample`. */
  readonly monotonic: () => number;
  /** The time of the shared database in µs; null without one. */
  readonly database: (() => Promise<number>) | null;
  readonly log: Logger;
}

/** The clock is read at the interval at which leases are renewed. */
const PERIOD_MS = 3000;

/** A host that is suspended more often while it asks for the time gets it at the next interval. */
const MOST_SAMPLES = 3;

/** The clock of a host that is further from the database's is reported (µs). */
export const REPORTED_LEAD = 5 * SECOND;

/** Notices jumps of the time while nothing else asks for it, and follows the database's clock. */
export class ClockWatch {
  readonly #options: ClockWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #isOff = false;
  /** When the database last answered. */
  #answeredAt: Timestamp | null = null;
  #isClosed = false;
  #forget = () => {};
  #looking: Promise<void> | null = null;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  /** Resolves when the database's clock has been read once. Throws its error. */
  async start(): Promise<void> {
    await this.#look();
    this.#options.clock.measureBy(() => this.#look());
    this.#forget = this.#options.clock.onJump(() => void this.#looked());
    this.#later();
  }

  close(): void {
    this.#isClosed = true;
    this.#forget();
    clearTimeout(this.#timer);
    this.#options.clock.unfollow();
  }

  #later(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(async () => {
      await this.#looked();
      this.#later();
    }, PERIOD_MS).unref();
  }

  /**
   * After a suspend the time is behind that of other servers: what this one decides until the next look would seem to
   * have happened before what it follows.
   */
  async #looked(): Promise<void> {
    if (this.#isClosed) return;
    await this.#look().catch((error) => {
      this.#options.log.warn({ err: error }, "the database's clock was not read");
      if (this.#isOutage()) this.#options.clock.missesSince(this.#answeredAt ?? 0);
    });
  }

  /** A caller that comes while the answer is under way gets the same one. */
  #look(): Promise<void> {
    this.#looking ??= this.#read().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #read(): Promise<void> {
    const { clock, database } = this.#options;
    clock.now();
    if (database === null) return;
    clock.follow(await this.#sample(database));
    if (this.#isOutage()) clock.missed([{ from: this.#answeredAt ?? 0, until: clock.now() }]);
    this.#answeredAt = clock.now();
    this.#report();
  }

  /** Without the database nothing that hosts report can be stored: it is as if they could not report. */
  #isOutage(): boolean {
    return this.#answeredAt !== null && this.#options.clock.now() - this.#answeredAt > LEASE;
  }

  /**
   * A host that sleeps between the database's answer and its arrival would take the time of the answer for the present one,
   * since its monotonic clock has stood still.
   */
  async #sample(database: () => Promise<number>): Promise<ClockSample> {
    const { clock, monotonic } = this.#options;
    for (let samples = 1; ; samples++) {
      const { jumps } = clock;
      const askedAt = monotonic();
      const time = await database();
      const answeredAt = monotonic();
      clock.now();
      if (clock.jumps === jumps || samples === MOST_SAMPLES) return { time, askedAt, answeredAt };
    }
  }

  #report(): void {
    const { clock, log } = this.#options;
    const seconds = leadSeconds(clock);
    if ((seconds !== 0) === this.#isOff) return;
    this.#isOff = seconds !== 0;
    if (this.#isOff) log.warn({ seconds }, leadText(seconds));
    else log.info('the clock of this host agrees with the database again');
  }
}

/** Whole seconds by which the host's clock certainly differs too much from the database's; 0: it does not. */
export function leadSeconds({ lead }: Pick<ServerClock, 'lead'>): number {
  if (lead === null || Math.abs(lead.ahead) - lead.error <= REPORTED_LEAD) return 0;
  return Math.round(lead.ahead / SECOND);
}

export function leadText(seconds: number): string {
  const side = seconds > 0 ? 'ahead of' : 'behind';
  return `the clock of this server's host is ${Math.abs(seconds)} s ${side} the database's, whose time is used; set the host's time automatically (NTP)`;
}
