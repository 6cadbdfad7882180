import type { Random } from '@dstack/testkit/random';
import { ServerClock } from '../../clock/server-clock.ts';
import type { SimClock } from './sim-clock.ts';

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;

const MOST = { second: SECOND, hour: HOUR, day: 24 * HOUR } as const;

/** How often the clock of a host is off by up to so much. */
export type Offsets = Readonly<Record<'none' | keyof typeof MOST, number>>;
const OFFSETS: Offsets = { none: 2, second: 1, hour: 2, day: 0 };

/** Clocks of hosts gain or lose up to this many microseconds per second. */
const MOST_DRIFT = 200;

/**
 * The clocks of the host of one server: the wall clock differs from the simulation's time by an offset
 * and a drift, and can be set; the monotonic clock has the drift only.
 */
export class SimHostClock {
  readonly clock: ServerClock;
  readonly #sim: SimClock;
  readonly #random: Random;
  readonly #rate: number;
  #offset: number;
  /** µs for which the host has slept, and since when it sleeps. */
  #slept = 0;
  #sleepsSince: number | null = null;
  readonly #mostOffset: Offsets;

  constructor(sim: SimClock, random: Random, mostOffset: Offsets = OFFSETS) {
    this.#mostOffset = mostOffset;
    this.#sim = sim;
    this.#random = random;
    this.#rate = 1 + random.whole(-MOST_DRIFT, MOST_DRIFT) / 1e6;
    this.#offset = this.#anyOffset();
    this.clock = new ServerClock({
      wall: () => Math.floor((this.#elapsed + this.#sim.start + this.#offset) / 1000),
      monotonic: this.monotonic,
    });
  }

  /** It stands still while the host sleeps. */
  readonly monotonic = (): number => {
    const sleeping = this.#sleepsSince === null ? 0 : this.#sim.now - this.#sleepsSince;
    return (this.#elapsed - this.#slept - sleeping) / 1000;
  };

  sleep(): void {
    this.#sleepsSince ??= this.#sim.now;
  }

  wake(): void {
    if (this.#sleepsSince !== null) this.#slept += this.#sim.now - this.#sleepsSince;
    this.#sleepsSince = null;
  }

  /** The clock of the host is set. */
  step(): void {
    this.#offset = this.#anyOffset();
  }

  get #elapsed(): number {
    return (this.#sim.now - this.#sim.start) * this.#rate;
  }

  #anyOffset(): number {
    const most = this.#random.weighted({ ...this.#mostOffset });
    return most === 'none' ? 0 : this.#random.whole(-1000, 1000) * MOST[most] * 0.001;
  }
}
