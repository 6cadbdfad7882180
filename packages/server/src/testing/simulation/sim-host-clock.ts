import type { Random } from '@dstack/testkit/random';
import { ServerClock } from '../../clock/server-clock.ts';
import type { SimClock } from './sim-clock.ts';

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;

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

  constructor(sim: SimClock, random: Random) {
    this.#sim = sim;
    this.#random = random;
    this.#rate = 1 + random.whole(-MOST_DRIFT, MOST_DRIFT) / 1e6;
    this.#offset = this.#anyOffset();
    this.clock = new ServerClock({
      wall: () => Math.floor((this.#elapsed + this.#sim.start + this.#offset) / 1000),
      monotonic: this.monotonic,
    });
  }

  readonly monotonic = (): number => this.#elapsed / 1000;

  /** The clock of the host is set. */
  step(): void {
    this.#offset = this.#anyOffset();
  }

  get #elapsed(): number {
    return (this.#sim.now - this.#sim.start) * this.#rate;
  }

  #anyOffset(): number {
    const most = this.#random.weighted({ none: 2, second: 1, hour: 2 });
    if (most === 'none') return 0;
    return this.#random.whole(-1000, 1000) * (most === 'hour' ? HOUR : SECOND) * 0.001;
  }
}
