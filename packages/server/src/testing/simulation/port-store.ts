import type { Store } from '@dstack/store';
import type { Random } from '@dstack/testkit/random';
import type { SimClock } from './sim-clock.ts';

/** Members that answer at once; all other members are asynchronous. */
const SYNCHRONOUS = new Set([
  'onSignal',
  'onChanged',
  'onChangedElsewhere',
  'onWritten',
  'subscribe',
  'announce',
]);

/** Called every few seconds; delays of these would only cost time. */
const ROUTINE = new Set(['renewHosts', 'orphanedHosts']);

/** The longest time that a call to the database takes in a simulation (µs). */
const LONGEST = 3_000;

/** Probabilities that the connection breaks during one call to the database. */
export interface DatabaseFaults {
  /** Before the database has received the call. */
  lostCall: number;
  /** After the database has carried it out. */
  lostAnswer: number;
}

export const NO_DATABASE_FAULTS: DatabaseFaults = { lostCall: 0, lostAnswer: 0 };

export class DatabaseBroke extends Error {
  override name = 'DatabaseBroke';

  constructor() {
    super('the connection to the database broke');
  }
}

export interface PortParts {
  readonly clock: SimClock;
  readonly random: Random;
  readonly faults: DatabaseFaults;
  /** The server whose connection this is; default: a user's, which is never stopped. */
  readonly owner?: object;
  /** Awaited before each call, as the store does before it writes; default: the clock is always right. */
  readonly measured?: () => Promise<void>;
  /** The other servers; default: none. */
  readonly peers?: Store['peers'];
}

/**
 * The store of one of several servers: calls take a random time, so that passes of all servers
 * interleave; some fail, also after their commit; and after the server was cut off no call is answered
 * or carried out.
 */
export class PortStore {
  readonly store: Store;
  #isCut = false;
  #calls = 0;

  constructor(inner: Store, parts: PortParts) {
    const { clock, random, faults, owner, peers = inner.peers } = parts;
    const never = new Promise<never>(() => {});
    const wait = async () => {
      if (random.chance(0.5)) await clock.delay(random.whole(1, LONGEST));
      if (owner) await clock.running(owner);
    };
    const arriving = (value: unknown) =>
      owner && typeof value === 'function'
        ? (...args: unknown[]) => clock.deliver(owner, () => void value(...args))
        : value;
    const mayBreak = (chance: number) => {
      if (random.chance(chance)) throw new DatabaseBroke();
    };
    const port =
      (
        member: (...args: unknown[]) => unknown,
        self: object,
        { isRoutine, isClock }: { readonly isRoutine: boolean; readonly isClock: boolean },
      ) =>
      async (...args: unknown[]) => {
        if (owner) await clock.running(owner);
        if (isRoutine) return this.#isCut ? await never : await member.apply(self, args);
        this.#calls += 1;
        try {
          await wait();
          if (this.#isCut) return await never;
          if (!isClock) await parts.measured?.();
          mayBreak(faults.lostCall);
          const answer = await member.apply(self, args);
          await wait();
          if (this.#isCut) return await never;
          mayBreak(faults.lostAnswer);
          return answer;
        } finally {
          this.#calls -= 1;
        }
      };
    const ports = <T extends object>(part: T): T => {
      const known = new Map<string | symbol, unknown>();
      return new Proxy(part, {
        get: (target, name) => {
          const member = Reflect.get(target, name);
          if (typeof member !== 'function') return member;
          if (SYNCHRONOUS.has(String(name))) {
            return (...args: unknown[]) => member.apply(target, args.map(arriving));
          }
          if (!known.has(name))
            known.set(
              name,
              port(member as (...args: unknown[]) => unknown, target, {
                isRoutine: ROUTINE.has(String(name)),
                isClock: name === 'time',
              }),
            );
          return known.get(name);
        },
      });
    };
    const wrapped = Object.fromEntries(
      Object.entries(inner).map(([name, part]) => {
        const isPart = typeof part === 'object' && part !== null && !PLAIN.has(name);
        return [name, isPart ? ports(part) : part];
      }),
    ) as unknown as Store;
    // Several servers share it, whatever the database: leases decide who works.
    this.store = { ...wrapped, peers, shared: true };
  }

  /** How many calls have not been answered yet. */
  get calls(): number {
    return this.#calls;
  }

  cut(): void {
    this.#isCut = true;
  }
}

/** Not read over a connection. */
const PLAIN = new Set(['cipher', 'logs']);
