import type { InstanceHandle, Offer } from '@dstack/core';
import { BackendError, NoAnswerError, NoCapacityError } from '../base/errors.ts';
import type { Access, InstanceOrder, ListedInstance, OwnerTags } from '../base/port.ts';
import { simClaims } from './claims.ts';
import type { SimFaults } from './faults.ts';

/** Times in µs. */
export interface SimClock {
  readonly now: number;
  delay(us: number): Promise<void>;
}

/** Numbers of one seed. */
export interface SimRandom {
  /** An integer from `from` to `to`, both included. */
  whole(from: number, to: number): number;
  chance(probability: number): boolean;
}

export interface SimMachine {
  readonly id: string;
  readonly order: InstanceOrder;
  readonly offer: Offer;
  readonly createdAt: number;
  /** Infinity = never. */
  readonly readyAt: number;
  /** Why it fails while it boots; null = it does not. */
  readonly failure: string | null;
  /** Why its provider takes it back; set by `interrupt`. */
  interruption: string | null;
  isReleasing: boolean;
}

/** Where the machines of a simulated provider get their agents. */
export interface SimAgents {
  /** Called once when a machine is ready, and again after a restart of the server. */
  start(machine: SimMachine): Promise<SimAddress>;
  stop(machine: SimMachine): Promise<void>;
}

export interface SimAddress {
  readonly hostname: string;
  readonly internalIp: string | null;
  readonly access: Access;
}

export interface SimProviderOptions {
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly faults: SimFaults;
  readonly agents: SimAgents;
}

const SECOND = 1_000_000;

/** The account at a simulated provider: everything that exists there, whoever ordered it. */
export class SimProvider {
  readonly faults: SimFaults;
  /** By the key of the order. */
  readonly machines = new Map<string, SimMachine>();
  readonly claims = simClaims(this);
  readonly #options: SimProviderOptions;
  readonly #addresses = new Map<string, SimAddress>();
  #ids = 0;

  constructor(options: SimProviderOptions) {
    this.#options = options;
    this.faults = options.faults;
  }

  get isFull(): boolean {
    return this.machines.size >= this.faults.quota;
  }

  find({ id }: InstanceHandle): SimMachine | null {
    return [...this.machines.values()].find((machine) => machine.id === id) ?? null;
  }

  async create(order: InstanceOrder, offer: Offer): Promise<SimMachine> {
    return await this.#answer(() => this.machines.get(order.key) ?? this.#make(order, offer));
  }

  /** Null: missing. */
  async describe(handle: InstanceHandle): Promise<SimMachine | null> {
    const machine = await this.#answer(() => this.find(handle));
    if (machine === null) return null;
    const visibleAt = machine.createdAt + this.faults.eventualSeconds * SECOND;
    return this.#options.clock.now < visibleAt ? null : machine;
  }

  /** The address of a machine that is ready; null before. */
  async address(machine: SimMachine): Promise<SimAddress | null> {
    if (this.#options.clock.now < machine.readyAt) return null;
    const known = this.#addresses.get(machine.id);
    if (known) return known;
    const started = await this.#options.agents.start(machine);
    this.#addresses.set(machine.id, started);
    return started;
  }

  async release(handle: InstanceHandle): Promise<'released' | 'releasing'> {
    const machine = await this.#answer(() => this.find(handle));
    if (machine === null) return 'released';
    const isFirst = !machine.isReleasing;
    machine.isReleasing = true;
    if (isFirst && this.#options.random.chance(this.faults.slowRelease)) return 'releasing';
    this.machines.delete(machine.order.key);
    this.#addresses.delete(machine.id);
    await this.#options.agents.stop(machine);
    return 'released';
  }

  async list({ server }: Pick<OwnerTags, 'server'>): Promise<readonly ListedInstance[]> {
    return await this.#answer(() =>
      [...this.machines.values()]
        .filter(({ order }) => order.owner.server === server)
        .map(({ id, order }) => ({
          handle: { id, data: null },
          owner: order.owner,
          key: order.key,
        })),
    );
  }

  /** Any other request to the provider, with its time and its faults. */
  request<T>(carryOut: () => T): Promise<T> {
    return this.#answer(carryOut);
  }

  get now(): number {
    return this.#options.clock.now;
  }

  /** Takes a machine back, as providers do with spot instances. */
  interrupt(handle: InstanceHandle, text: string): void {
    const machine = this.find(handle);
    if (machine) machine.interruption = text;
  }

  /** The machine disappears without a word, as if somebody had deleted it at the provider. */
  async vanish(handle: InstanceHandle): Promise<void> {
    const machine = this.find(handle);
    if (machine === null) return;
    this.machines.delete(machine.order.key);
    await this.#options.agents.stop(machine);
  }

  #make(order: InstanceOrder, offer: Offer): SimMachine {
    const { random, clock } = this.#options;
    const { faults } = this;
    if (this.isFull) throw new NoCapacityError('the quota of the account is used up');
    if (random.chance(faults.noCapacity)) {
      throw new NoCapacityError('no machine of this type is left');
    }
    const [least, most] = faults.bootSeconds;
    const bootSeconds = random.whole(least * 1000, most * 1000) / 1000;
    const machine: SimMachine = {
      id: `sim-${++this.#ids}`,
      ...{ order, offer, createdAt: clock.now, interruption: null, isReleasing: false },
      readyAt: random.chance(faults.neverReady)
        ? Number.POSITIVE_INFINITY
        : clock.now + bootSeconds * SECOND,
      failure: random.chance(faults.failsToBoot) ? 'the provider could not start it' : null,
    };
    this.machines.set(order.key, machine);
    return machine;
  }

  /** One request: it takes its time, and may fail before or after it has been carried out. */
  async #answer<T>(carryOut: () => T): Promise<T> {
    const { random, clock } = this.#options;
    const { slowSeconds, error, rateLimit, lostResponse } = this.faults;
    if (slowSeconds > 0) await clock.delay(random.whole(1, slowSeconds * 1000) * 1000);
    if (random.chance(rateLimit)) throw new BackendError('429 Too Many Requests');
    if (random.chance(error)) throw new BackendError('500 Internal Server Error');
    const result = carryOut();
    if (random.chance(lostResponse)) throw new NoAnswerError('the connection was reset');
    return result;
  }
}
