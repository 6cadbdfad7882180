import {
  SECOND,
  type Timestamp,
  type Unobserved,
  unobservedUntil,
  withUnobserved,
} from '@dstack/core';

/** The clocks of this process. */
export interface LocalClocks {
  /** Milliseconds since the epoch: follows steps of the host's time and continues over a suspend. */
  readonly wall: () => number;
  /** Milliseconds since any instant: no step moves it, and it stands still while the host is suspended. */
  readonly monotonic: () => number;
}

/** The database's clock as it was read once. */
export interface ClockSample {
  /** Microseconds since the epoch. */
  readonly time: Timestamp;
  /** Monotonic milliseconds of this process before and after the question. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** How far the clock of this host is ahead of the database's (negative: behind), in µs. */
export interface ClockLead {
  readonly ahead: number;
  /** Half of the round trip that measured it. */
  readonly error: number;
}

/** A lease of another server has certainly expired after this time (µs). */
export const LEASE = 9 * SECOND;

/**
 * A wall clock that gains more than this on the monotonic one was set, or the host was suspended (µs). With a
 * shared database, times of other servers that lie further ahead than 5 s count as wrong.
 */
const SUSPECTED = 3 * SECOND;

/** Steps of the wall clock below this are rounding (ms). */
const ROUNDING_MS = 2;

interface Reading {
  readonly wall: number;
  readonly monotonic: number;
}

/**
 * The server's one notion of now, in microseconds since the epoch.
 *
 * Without a shared database it is the host's wall clock. With one, it is the database's clock: the time
 * of the last sample plus what the monotonic clock has counted since, so that a step of this host's
 * clock moves nothing and a suspend is corrected by the next sample. Until then the time is behind that of other
 * servers by the suspend, so that what they write seems to lie ahead. A suspend and a step look alike: both are
 * jumps, and the time that they passed over is none in which an answer could have been noticed.
 *
 * A jump is a moment at which more than a lease passed without this process having had the chance to
 * work (a suspend, a step of the clock, a stopped process), and so is the end of an outage: of all
 * servers, or of the database. What others had to do by a deadline may have been impossible, or may just not
 * have been noticed.
 */
export class ServerClock {
  readonly #local: LocalClocks;
  readonly #listeners = new Set<() => void>();
  #last: Reading;
  /** The time at a reading of the monotonic clock: of the wall clock, or of the database. */
  #anchor: { readonly time: Timestamp; readonly monotonic: number };
  #lead: ClockLead | null = null;
  #steadySince: Timestamp;
  #unobserved: readonly Unobserved[] = [];
  #servedElsewhere: Timestamp = 0;
  #jumps = 0;
  /** The database's clock has not been read since the last jump. */
  #isUnmeasured = false;
  #measure: () => Promise<void> = async () => {};

  constructor(local: LocalClocks) {
    this.#local = local;
    this.#last = this.#read();
    this.#anchor = { time: this.#last.wall * 1000, monotonic: this.#last.monotonic };
    this.#steadySince = Math.round(this.#anchor.time);
  }

  now(): Timestamp {
    const before = this.#last;
    const reading = this.#read();
    const from = this.#at(before.monotonic);
    this.#last = reading;
    const passed = reading.monotonic - before.monotonic;
    if (this.#lead === null) this.#followWall(reading);
    const time = this.#at(reading.monotonic);
    const step = (reading.wall - before.wall - passed) * 1000;
    const isStep = this.#lead === null ? Math.abs(step) > LEASE : step > SUSPECTED;
    if (passed * 1000 > LEASE || isStep) {
      this.#isUnmeasured = this.#lead !== null;
      this.#jumped({ from, until: time });
    }
    return time;
  }

  /** When nothing that others did could be noticed: oldest first, without overlaps. */
  get unobserved(): readonly Unobserved[] {
    return this.#unobserved;
  }

  /** Until when another server of the database certainly noticed what others did; 0 = none is known. */
  get servedElsewhere(): Timestamp {
    return this.#servedElsewhere;
  }

  /** Since when the time has passed evenly: the last jump, also to before the start, or the start. */
  get steadySince(): Timestamp {
    return this.#steadySince;
  }

  /** Null without a shared database. */
  get lead(): ClockLead | null {
    return this.#lead;
  }

  /** How many jumps were noticed. */
  get jumps(): number {
    return this.#jumps;
  }

  /** How the database's clock is read; `measure` ends with `follow`. */
  measureBy(measure: () => Promise<void>): void {
    this.#measure = measure;
  }

  /** Reads the database's clock now; without a shared database nothing happens. Throws the error of the database. */
  measure(): Promise<void> {
    return this.#measure();
  }

  /**
   * Resolves once the time is the database's: at once, unless a jump was noticed since it was last read. What is
   * written before would seem to have happened before what it follows. Throws the error of the database.
   */
  async measured(): Promise<void> {
    this.now();
    if (this.#isUnmeasured) await this.#measure();
  }

  /** Called after a jump; returns the function that ends it. */
  onJump(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes over the database's time. Within the uncertainty of a sample nothing changes, so that slow
   * answers do not move the time back and forth.
   */
  follow({ time, askedAt, answeredAt }: ClockSample): void {
    const isFirst = this.#lead === null;
    this.now();
    this.#isUnmeasured = false;
    const middle = (askedAt + answeredAt) / 2;
    const error = ((answeredAt - askedAt) / 2) * 1000;
    const { wall, monotonic } = this.#last;
    this.#lead = { ahead: Math.round(wall * 1000 - (time + (monotonic - middle) * 1000)), error };
    const off = time - this.#at(middle);
    const correction = Math.sign(off) * Math.max(0, Math.abs(off) - (isFirst ? 0 : error));
    if (correction === 0) return;
    const from = this.#at(monotonic);
    this.#anchor = { time: this.#anchor.time + correction, monotonic: this.#anchor.monotonic };
    if (isFirst) this.#steadySince += Math.round(correction);
    else if (correction > SUSPECTED || correction < -LEASE)
      this.#jumped({ from, until: this.#at(monotonic) });
  }

  /**
   * Nothing that others did could be noticed in these times, because no server worked or its database did not
   * answer. Times that are known already change nothing.
   */
  missed(times: readonly Unobserved[]): void {
    const known = this.#unobserved.at(-1)?.until ?? 0;
    for (const time of times) this.#unobserved = withUnobserved(this.#unobserved, time);
    const last = times.at(-1);
    // They may lie before the last jump, or before the start.
    if (last !== undefined && last.until > known) {
      this.#jumped(last, Math.max(last.until, this.#steadySince));
    }
  }

  /** Another server has worked at this time. */
  othersServed(at: Timestamp): void {
    this.#servedElsewhere = Math.max(this.#servedElsewhere, at);
  }

  /** Records that actions of others cannot be noticed since `from`; `missed` ends that time. */
  missesSince(from: Timestamp): void {
    this.#steadySince = this.now();
    this.#add({ from, until: this.#steadySince });
  }

  /** Back to the clock of this host. */
  unfollow(): void {
    this.#lead = null;
    this.#isUnmeasured = false;
    this.#measure = async () => {};
  }

  #at(monotonic: number): Timestamp {
    return Math.round(this.#anchor.time + (monotonic - this.#anchor.monotonic) * 1000);
  }

  /** The monotonic clock has finer steps than the wall clock, which decides. */
  #followWall({ wall, monotonic }: Reading): void {
    if (Math.abs(this.#at(monotonic) / 1000 - wall) < ROUNDING_MS) return;
    this.#anchor = { time: wall * 1000, monotonic };
  }

  #read(): Reading {
    return { wall: this.#local.wall(), monotonic: this.#local.monotonic() };
  }

  #add({ from, until }: Unobserved): void {
    const past = unobservedUntil(this.#unobserved, until);
    this.#unobserved = withUnobserved(past, { from: Math.min(from, until), until });
  }

  /** Listeners are called later: a question for the time is not interrupted by them. */
  #jumped(time: Unobserved, steadySince = time.until): void {
    this.#steadySince = steadySince;
    this.#jumps += 1;
    this.#add(time);
    for (const listener of this.#listeners) queueMicrotask(listener);
  }
}
