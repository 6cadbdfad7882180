import type { LeasedKind, Store } from '@dstack/store';
import { Breach } from './breach.ts';
import type { SimClock } from './sim-clock.ts';

/** A free lease that a server waits for is taken within this time (µs). */
const PATIENCE = 4_000_000;

/** An effect may belong to the other server by now; old data and orphans wait for the next round. */
const ASKED_LATER: ReadonlySet<LeasedKind> = new Set(['intent', 'retention', 'sweep']);

interface Waiting {
  readonly kind: LeasedKind;
  readonly id: string;
  /** The question that was refused. */
  readonly question: object;
}

type Engine = Store['engine'];

export interface LeaseWatchParts {
  readonly clock: SimClock;
  /** The database, without the delays and failures of a connection. */
  readonly store: Store;
  readonly onBreach: (breach: Breach) => void;
}

/** 13: a server that found a lease held asks again soon after it is free, also if its holder died. */
export class LeaseWatch {
  readonly #parts: LeaseWatchParts;
  /** Keys whose lease this server was refused, and which it has not asked for again. */
  readonly #waiting = new Map<string, object>();
  #isOver = false;

  constructor(parts: LeaseWatchParts) {
    this.#parts = parts;
  }

  /** `store`: over the connection of the server. */
  watched(store: Store): Store {
    const claim: Engine['claim'] = async (kind, id, owner, ttl) => {
      const name = `${kind} ${id}`;
      this.#waiting.delete(name);
      const isTaken = await store.engine.claim(kind, id, owner, ttl);
      if (!isTaken && !ASKED_LATER.has(kind)) {
        const question = {};
        this.#waiting.set(name, question);
        this.#checkLater({ kind, id, question }, ttl);
      }
      return isTaken;
    };
    const leaseLeft: Engine['leaseLeft'] = async (kind, id) => {
      try {
        const left = await store.engine.leaseLeft(kind, id);
        if (left === 'gone') this.#waiting.delete(`${kind} ${id}`);
        return left;
      } catch (error) {
        // The pass has failed, and waits as after any failure.
        this.#waiting.delete(`${kind} ${id}`);
        throw error;
      }
    };
    return { ...store, engine: { ...engineOf(store), claim, leaseLeft } };
  }

  /** The server has ended. */
  close(): void {
    this.#isOver = true;
  }

  #checkLater(waiting: Waiting, us: number): void {
    const { clock, store, onBreach } = this.#parts;
    const { kind, id, question } = waiting;
    const name = `${kind} ${id}`;
    clock.after(us + PATIENCE, async () => {
      if (this.#isOver || this.#waiting.get(name) !== question) return;
      // A server that was stopped has not had the time to ask.
      if (clock.now - clock.lastContinued < PATIENCE) {
        this.#checkLater(waiting, PATIENCE);
        return;
      }
      const left = await store.engine.leaseLeft(kind, id);
      if (left === 'gone') return;
      if (left !== null) this.#checkLater(waiting, left);
      else onBreach(new Breach(13, `no server works on ${name}, whose lease has long been free`));
    });
  }
}

/** The members of a proxy, which a spread would not find. */
function engineOf({ engine }: Store): Engine {
  return Object.fromEntries(
    Object.keys(engine).map((name) => [name, engine[name as keyof Engine]]),
  ) as unknown as Engine;
}
