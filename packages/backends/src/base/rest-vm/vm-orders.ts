/**
 * Orders of machines. Each is looked for before it is made, by its name and its tags; a creation without an answer is
 * looked for until lists must contain it.
 */
import { errorMessage } from '@dstack/contract/error-message';
import type { Offer } from '@dstack/core';
import {
  BackendError,
  BusyError,
  NoAnswerError,
  NoCapacityError,
  PreparingError,
  QuotaError,
  SkipOfferError,
  TurnError,
} from '../errors.ts';
import type { InstanceOrder } from '../instance-port.ts';
import type { JudgedLists } from './judged-lists.ts';
import type { LiveOffers } from './live-offers.ts';
import type { MadeVms } from './made-vms.ts';
import { KEY_TAG, ownerIn, ownerTags, vmName } from './names.ts';
import type { CallPace } from './pace.ts';
import { TimedOutError } from './refusals.ts';
import type { Vm, VmCloud, VmOrder } from './vm-cloud.ts';
import type { VmEnds } from './vm-ends.ts';
import { isOver } from './vm-phases.ts';
import type { VmWay } from './vm-way.ts';

export interface VmOrdersOptions {
  readonly cloud: VmCloud;
  readonly offers: Pick<LiveOffers, 'priceOf' | 'refused'>;
  readonly way: Pick<VmWay, 'ordered'>;
  readonly pace: CallPace;
  readonly lists: JudgedLists;
  readonly made: MadeVms;
  readonly ends: Pick<VmEnds, 'end'>;
}

/** The machine of an order. `vm`: as it was found; null = it has just been ordered. */
export interface VmOfOrder {
  readonly id: string;
  readonly vm: Vm | null;
}

/** Between two lists in which a creation without an answer is looked for. */
const LOOK_MS = 3000;
/** For how long a provider that did not answer in time may still carry a creation out. */
const SLOW_MS = 90_000;

export class VmOrders {
  readonly #options: VmOrdersOptions;
  /** Creations under way, by name. */
  readonly #creating = new Map<string, Promise<VmOfOrder>>();
  /** Creations without an answer, by name: until when they are looked for. */
  readonly #doubts = new Map<string, number>();

  constructor(options: VmOrdersOptions) {
    this.#options = options;
  }

  async create(order: InstanceOrder): Promise<VmOfOrder> {
    const name = vmName(order.key);
    const known = this.#creating.get(name);
    if (known) return await known;
    const creating = this.#create(name, order).finally(() => this.#creating.delete(name));
    this.#creating.set(name, creating);
    try {
      return await creating;
    } catch (error) {
      // One call too many, which is about no offer.
      const isBusy = error instanceof BusyError && !(error instanceof PreparingError);
      throw isBusy ? new PreparingError(error.message, { cause: error }) : error;
    }
  }

  async #create(name: string, order: InstanceOrder): Promise<VmOfOrder> {
    const { cloud, made, lists } = this.#options;
    const found = await this.#search(name, order);
    if (found) return { id: found.id, vm: found };
    const known = made.idOf(name);
    if (known !== null) return { id: known, vm: null };
    const vmOrder = await this.#checked(name, order);
    await cloud.prepare?.(vmOrder);
    if (order.signal?.aborted)
      throw new TurnError(`${cloud.title}: the caller of this order has given up`);
    await order.onSending?.();
    try {
      const id = await this.#ordered(vmOrder);
      this.#doubts.delete(name);
      made.remember(name, { id, key: order.key });
      return { id, vm: null };
    } catch (error) {
      const vm = await this.#afterError(name, order, error);
      return { id: vm.id, vm };
    } finally {
      lists.changed();
    }
  }

  /** The id of a new machine. An answer of another form leaves open whether there is one. */
  async #ordered(order: VmOrder): Promise<string> {
    const { cloud } = this.#options;
    let id: unknown;
    try {
      id = await cloud.create(order);
    } catch (error) {
      if (error instanceof BackendError) throw error;
      throw new NoAnswerError(`${cloud.title}: a creation with an unknown answer`, {
        cause: error,
      });
    }
    if (typeof id === 'string' && id !== '') return id;
    throw new NoAnswerError(`${cloud.title}: a creation that was answered without an id`);
  }

  /**
   * Finds the machine that an earlier attempt at this order created. Waits where one may exist without
   * being listed yet.
   */
  async #search(name: string, order: InstanceOrder): Promise<Vm | null> {
    try {
      const found = await this.#find(name, order);
      if (found || this.#options.made.idOf(name) !== null) return found;
      if (order.mayExist && !this.#doubts.has(name)) this.#doubt(name, false);
      return this.#doubts.has(name) ? await this.#awaited(name, order) : null;
    } catch (error) {
      // Callers take these two errors to mean that no machine exists, but the look itself has failed.
      if (!(error instanceof NoCapacityError || error instanceof SkipOfferError)) throw error;
      throw new NoAnswerError(error.message, { cause: error });
    }
  }

  #doubt(name: string, isSlow: boolean): void {
    const { pace, cloud } = this.#options;
    this.#doubts.set(name, pace.now() + cloud.lateMs + (isSlow ? SLOW_MS : 0));
  }

  /** Looks until the doubt is settled. */
  async #awaited(name: string, order: InstanceOrder): Promise<Vm | null> {
    const { pace } = this.#options;
    const until = this.#doubts.get(name) ?? pace.now();
    for (;;) {
      const isLate = pace.now() >= until;
      const found = await this.#find(name, order);
      if (found || isLate) {
        this.#doubts.delete(name);
        return found;
      }
      await pace.delay(LOOK_MS);
    }
  }

  /** Finds the machine of an order. Of several machines it keeps the first, and ends the others. */
  async #find(name: string, { key, owner }: InstanceOrder): Promise<Vm | null> {
    const { cloud, lists, ends } = this.#options;
    const machines = await lists.fresh();
    const ours = machines.filter(
      (vm) =>
        vm.name === name && vm.tags[KEY_TAG] === key && ownerIn(vm.tags).server === owner.server,
    );
    const alive = ours.filter((vm) => !isOver(cloud, vm));
    const kept = alive.length > 0 ? alive : ours;
    const [first, ...others] = kept.sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const vm of others) await ends.end(vm);
    return first ?? null;
  }

  /** Throws `SkipOfferError` for what cannot be ordered like this. */
  async #checked(name: string, order: InstanceOrder): Promise<VmOrder> {
    const { cloud, offers, way } = this.#options;
    const { offer, owner, key, authorizedKeys, volumes, reservation } = order;
    if (offer === null) throw new SkipOfferError(`${cloud.title} creates machines from offers`);
    if (volumes.length > 0 && !cloud.hasVolumes) {
      throw new SkipOfferError(`${cloud.title} has no volumes here`);
    }
    if (volumes.length > 0 && cloud.takesVolumes?.(offer) === false) {
      throw new SkipOfferError(`volumes cannot be attached to ${offer.instance.name}`);
    }
    if (reservation !== null && !cloud.hasReservations) {
      throw new SkipOfferError(`${cloud.title} has no reservations`);
    }
    const sized = (listed: Offer) => cloud.sized?.(listed, offer) ?? listed;
    const price = await offers.priceOf(offer, sized);
    if (price !== null && price > offer.price) {
      throw new SkipOfferError(
        `it costs $${price}/h now, and $${offer.price}/h when it was chosen`,
      );
    }
    return {
      ...{ name, offer, owner, authorizedKeys, signal: order.signal },
      ...{ placementGroup: order.placementGroup, reservation },
      tags: { ...order.tags, ...ownerTags(owner, key) },
      ...(await way.ordered(order)),
    };
  }

  /** The machine that was made all the same. Throws the error if there is none. */
  async #afterError(name: string, order: InstanceOrder, error: unknown): Promise<Vm> {
    const { offers } = this.#options;
    // A reservation without room does not keep the type from other orders.
    if (error instanceof NoCapacityError && order.offer && order.reservation === null) {
      const why = error instanceof QuotaError ? 'quota' : 'capacity';
      offers.refused(order.offer, why, error.message);
    }
    if (!(error instanceof NoAnswerError)) throw error;
    this.#doubt(name, error instanceof TimedOutError);
    const found = await this.#awaited(name, order).catch((failure: unknown) => {
      // Whatever prevents the look, the order was sent.
      const text = `${error.message}; it was not looked for: ${errorMessage(failure)}`;
      throw new NoAnswerError(text, { cause: failure });
    });
    if (found) return found;
    throw error;
  }
}
