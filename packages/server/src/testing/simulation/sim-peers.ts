import type { Store } from '@dstack/store';
import type { Random } from '@dstack/testkit/random';
import type { SimClock } from './sim-clock.ts';

type Peers = Store['peers'];

/** Messages of a server arrive after this time at most (µs). */
const LONGEST = 3_000;

/** Carries short messages between the servers of a simulation; some are lost. */
export class SimPeers {
  readonly #clock: SimClock;
  readonly #random: Random;
  readonly #listeners = new Map<(text: string) => void, object>();

  constructor(clock: SimClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The connection of one server, which does not receive its own messages. */
  join(): Peers {
    const self = {};
    return {
      send: (texts) => {
        for (const text of texts) this.#send(self, text);
      },
      subscribe: (listener) => {
        this.#listeners.set(listener, self);
        return () => this.#listeners.delete(listener);
      },
      others: async () => {
        const servers = new Set(this.#listeners.values());
        servers.delete(self);
        return servers.size;
      },
    };
  }

  #send(from: object, text: string): void {
    for (const [listener, self] of this.#listeners) {
      if (self === from || this.#random.chance(0.01)) continue;
      this.#clock.as(null, () =>
        this.#clock.after(this.#random.whole(1, LONGEST), () => {
          if (this.#listeners.has(listener)) listener(text);
        }),
      );
    }
  }
}
