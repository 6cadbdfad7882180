/**
 * Machines of a provider as instances. Each order is looked for before it is made, by its name and its
 * tags; a creation without an answer is looked for until lists must contain it.
 */
import type { LeaseEnding, NoticeWatch } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { capabilitiesOf, type InstanceHandle, type ProvisioningData } from '@dstack/core';
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
import type {
  CreatedInstance,
  HowReleased,
  InstanceOrder,
  InstancePort,
  ListedInstance,
  Observation,
} from '../instance-port.ts';
import { orderedProvisioningData } from '../provisioning-data.ts';
import type { AccountVms, ListVms } from './account-vms.ts';
import type { LiveOffers } from './live-offers.ts';
import { MissingGuard } from './missing-guard.ts';
import { KEY_TAG, ownerIn, ownerTags, vmName } from './names.ts';
import type { CallPace } from './pace.ts';
import { MissingThingError, NotNowError, TimedOutError } from './refusals.ts';
import type { Vm, VmCloud, VmOrder } from './vm-cloud.ts';
import { isEnding, isOver, phaseOf } from './vm-phases.ts';
import type { VmWay } from './vm-way.ts';

export interface VmInstancesOptions {
  readonly cloud: VmCloud;
  readonly offers: Pick<LiveOffers, 'priceOf' | 'refused'>;
  readonly way: VmWay;
  readonly pace: CallPace;
  /** The lists of the account, which backends with the same credentials share. */
  readonly account: AccountVms;
}

/** Between two lists in which a creation without an answer is looked for. */
const LOOK_MS = 3000;
/** For how long a provider that did not answer in time may still carry a creation out. */
const SLOW_MS = 90_000;
/** How long a machine is remembered that no list has contained yet. */
const REMEMBERED_MS = 600_000;

interface Made {
  readonly id: string;
  /** Of its order. */
  readonly key: string;
  readonly at: number;
}

interface Unlisted {
  /** Since when it is to be ended. */
  readonly since: number;
  /** The provider has known it, and has begun to end it. */
  readonly isAccepted: boolean;
}

export class VmInstances implements InstancePort {
  readonly notices?: NoticeWatch;
  readonly dial?: NonNullable<InstancePort['dial']>;
  readonly leaseEnding?: LeaseEnding;
  readonly watch?: NonNullable<InstancePort['watch']>;
  /** An agent reports that it lives; how its machine ends, only lists do. */
  readonly watchesPartly = true;
  readonly #options: VmInstancesOptions;
  readonly #machines: AccountVms;
  readonly #list: ListVms;
  readonly #missing: MissingGuard;
  /** The last list that was judged. */
  #judged: readonly Vm[] | null = null;
  /** Creations under way, by name. */
  readonly #creating = new Map<string, Promise<CreatedInstance>>();
  /** Machines whose creation the provider has accepted, by name: lists contain them later. */
  readonly #made = new Map<string, Made>();
  /** Creations without an answer, by name: until when they are looked for. */
  readonly #doubts = new Map<string, number>();
  /** Machines whose order another one serves, and whose end is being ordered. */
  readonly #endingDoubles = new Set<string>();
  /** Machines of the last list, by the data of their handles. */
  #listed: ReadonlyMap<string, Vm> = new Map();
  /** Machines to be ended that the last list lacks, by id. */
  readonly #unlisted = new Map<string, Unlisted>();
  /** Ids of listed machines that the provider had none left for. */
  readonly #soldOut = new Set<string>();

  constructor(options: VmInstancesOptions) {
    this.#options = options;
    const { cloud, way, account, pace } = options;
    if (cloud.notices) this.notices = cloud.notices;
    if (cloud.leaseEnding) this.leaseEnding = cloud.leaseEnding;
    if (way.dial) this.dial = way.dial;
    const { watch } = way;
    if (watch) this.watch = (onChange) => watch((data) => this.#reachable(data, onChange));
    this.#machines = account;
    this.#list = () => cloud.list();
    this.#missing = new MissingGuard({
      ...{ title: cloud.title, pace },
      isExpected: (vm) => vm.tags[KEY_TAG] !== undefined && !isEnding(cloud, vm),
      wasThere: (id) =>
        account.hasListed(id) || [...this.#made.values()].some((made) => made.id === id),
    });
  }

  async #shared(): Promise<readonly Vm[]> {
    return this.#judge(await this.#machines.shared(this.#list));
  }

  async #fresh(): Promise<readonly Vm[]> {
    return this.#judge(await this.#machines.fresh(this.#list));
  }

  /**
   * Each backend judges lists by the machines that it follows: with a key of another account those of other
   * backends there prove nothing.
   */
  #judge(vms: readonly Vm[]): readonly Vm[] {
    if (this.#judged !== vms) {
      this.#missing.listed(vms);
      this.#index(vms);
    }
    this.#judged = vms;
    return vms;
  }

  #reachable(data: string, onChange: (handleId: string) => void): void {
    const { way } = this.#options;
    const listed = this.#listed.get(data) ?? null;
    const made = () => [...this.#made.values()].find(({ key }) => way.handleData?.(key) === data);
    const id = listed?.id ?? made()?.id;
    if (id === undefined) return;
    // The last list is older than the report. All agents connect anew after a restart, and change nothing.
    if (listed === null || phaseOf(this.#options.cloud, listed) === 'waiting') {
      this.#machines.changed();
    }
    onChange(id);
  }

  /** For reports, which name machines by the data of their handles. */
  #index(vms: readonly Vm[]): void {
    const { handleData } = this.#options.way;
    if (!handleData) return;
    const entries = vms.map((vm) => [handleData(vm.tags[KEY_TAG] ?? null), vm] as const);
    this.#listed = new Map(entries.filter((entry): entry is [string, Vm] => entry[0] !== null));
  }

  async create(order: InstanceOrder): Promise<CreatedInstance> {
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

  async #create(name: string, order: InstanceOrder): Promise<CreatedInstance> {
    const found = await this.#search(name, order);
    if (found) return this.#createdOf(order, found);
    const made = this.#made.get(name);
    if (made) return this.#orderedOf(order, made.id);
    const { cloud } = this.#options;
    const vmOrder = await this.#checked(name, order);
    await cloud.prepare?.(vmOrder);
    if (order.signal?.aborted)
      throw new TurnError(`${cloud.title}: the caller of this order has given up`);
    await order.onSending?.();
    try {
      const id = await this.#ordered(vmOrder);
      this.#remember(name, { id, key: order.key });
      return this.#orderedOf(order, id);
    } catch (error) {
      return await this.#afterError(name, order, error);
    } finally {
      this.#machines.changed();
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
      if (found || this.#made.has(name)) return found;
      if (order.mayExist && !this.#doubts.has(name)) this.#doubt(name, false);
      return this.#doubts.has(name) ? await this.#awaited(name, order) : null;
    } catch (error) {
      // Of a creation both would mean that there is no machine, and it was not looked for.
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
    const machines = await this.#fresh();
    const ours = machines.filter(
      (vm) =>
        vm.name === name && vm.tags[KEY_TAG] === key && ownerIn(vm.tags).server === owner.server,
    );
    const alive = ours.filter((vm) => !isOver(this.#options.cloud, vm));
    const kept = alive.length > 0 ? alive : ours;
    const [first, ...others] = kept.sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const vm of others) await this.#end(vm);
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
    if (reservation !== null && !cloud.hasReservations) {
      throw new SkipOfferError(`${cloud.title} has no reservations`);
    }
    const price = await offers.priceOf(offer);
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

  async #afterError(name: string, order: InstanceOrder, error: unknown): Promise<CreatedInstance> {
    const { offers } = this.#options;
    // What a reservation lacks, others may still get.
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
    if (found) return this.#createdOf(order, found);
    throw error;
  }

  async observe({ id }: InstanceHandle): Promise<Observation> {
    const machines = await this.#shared();
    const vm = machines.find((one) => one.id === id);
    if (vm === undefined) {
      if (!this.#isNew(id)) this.#missing.missing(id);
      return { state: 'missing' };
    }
    this.#missing.found(id);
    this.#endDoubles(vm, machines);
    return this.#observationOf(vm);
  }

  /** Whether it was made so lately that lists may not contain it yet. */
  #isNew(id: string): boolean {
    const { pace, cloud } = this.#options;
    return [...this.#made.values()].some(
      (made) => made.id === id && pace.now() - made.at < cloud.lateMs,
    );
  }

  /**
   * Ends machines of the order of this one: the provider may carry out a creation long after its caller has given
   * up, when another one has been made.
   */
  #endDoubles(kept: Vm, machines: readonly Vm[]): void {
    const key = kept.tags[KEY_TAG];
    if (key === undefined) return;
    const { server } = ownerIn(kept.tags);
    for (const vm of machines) {
      const isDouble = vm.tags[KEY_TAG] === key && ownerIn(vm.tags).server === server;
      if (!isDouble || vm.id === kept.id || this.#endingDoubles.has(vm.id)) continue;
      this.#endingDoubles.add(vm.id);
      const settled = () => void this.#endingDoubles.delete(vm.id);
      // After an error it is still listed, and the next observation orders its end again.
      this.#end(vm).then(settled, settled);
    }
  }

  #observationOf(vm: Vm): Observation {
    const { cloud, way } = this.#options;
    const words = [vm.status, vm.problem].filter((text) => text !== null).join(': ');
    const phase = phaseOf(cloud, vm);
    switch (phase) {
      case 'waiting':
        return { state: 'pending', text: words };
      case 'ready':
        break;
      case 'reclaimed':
        return { state: 'interrupted', reason: 'spot', text: `${cloud.title}: ${words}` };
      case 'sold-out':
        this.#onSoldOut(vm, `${cloud.title}: ${words}`);
        return { state: 'interrupted', reason: 'no-room', text: `${cloud.title}: ${words}` };
      case 'broken':
      case 'ending':
      case 'ended':
        return { state: 'interrupted', reason: 'failed', text: `${cloud.title}: ${words}` };
    }
    const reached = way.reached(vm);
    if (reached === null) return { state: 'pending', text: `${words}, without an address yet` };
    const { data, access } = reached;
    return {
      state: 'ready',
      machine: { offer: null, provisioningData: dataOf(cloud, vm, data), totalBlocks: null },
      access,
    };
  }

  /** The same as a refusal of its order: others of this type have to be tried. */
  #onSoldOut({ id, instance, region, zone }: Vm, text: string): void {
    if (this.#soldOut.has(id)) return;
    for (const one of this.#soldOut) if (!this.#machines.hasListed(one)) this.#soldOut.delete(one);
    this.#soldOut.add(id);
    const availability_zones = zone == null ? null : [zone];
    this.#options.offers.refused({ instance, region, availability_zones }, 'capacity', text);
  }

  async release(
    { id }: InstanceHandle,
    { isOrphan = false, wasAccepted = false }: HowReleased = {},
  ): Promise<'released' | 'releasing'> {
    this.#options.way.released?.(id);
    const machines = await this.#shared();
    const vm = machines.find((one) => one.id === id);
    if (vm !== undefined) {
      // The other one of an orphan's order may be the one that serves it.
      if (!isOrphan) this.#endDoubles(vm, machines);
      this.#unlisted.delete(id);
      return await this.#end(vm);
    }
    // A list may omit a machine for a moment, of any age: only the provider's own answer counts.
    const { pace, cloud } = this.#options;
    const { since, isAccepted } = this.#unlisted.get(id) ?? {
      ...{ since: pace.now(), isAccepted: wasAccepted },
    };
    const isUnknown = await this.#endById(id);
    this.#unlisted.set(id, { since, isAccepted: isAccepted || !isUnknown });
    // Another account has no such machine either, and it would run on in its own.
    if (isUnknown && !isAccepted) this.#missing.unknown(id, since);
    else this.#missing.ended(id);
    const isGone = isUnknown && this.#machines.hasListed(id);
    if (!isGone && pace.now() - since < cloud.lateMs) return 'releasing';
    this.#unlisted.delete(id);
    this.#missing.ended(id);
    return 'released';
  }

  /** Whether the provider answers that there is no such machine, which is also true of one that is too new. */
  async #endById(id: string): Promise<boolean> {
    try {
      await this.#options.cloud.end({ id, region: '' });
      return false;
    } catch (error) {
      if (error instanceof MissingThingError) return true;
      if (error instanceof NotNowError) return false;
      throw error;
    } finally {
      this.#machines.changed();
    }
  }

  async #end(vm: Vm): Promise<'released' | 'releasing'> {
    const { cloud } = this.#options;
    if (isOver(cloud, vm)) return 'released';
    if (phaseOf(cloud, vm) === 'ending') return 'releasing';
    try {
      await cloud.end(vm);
      this.#missing.ended(vm.id);
    } catch (error) {
      // Listed a moment ago, or not listed yet: the next call decides.
      if (!(error instanceof MissingThingError || error instanceof NotNowError)) throw error;
    } finally {
      this.#machines.changed();
    }
    return 'releasing';
  }

  async list({ server }: { readonly server: string }): Promise<readonly ListedInstance[]> {
    const machines = await this.#fresh();
    return machines.flatMap((vm) => {
      const owner = ownerIn(vm.tags);
      if (owner.server !== server || isOver(this.#options.cloud, vm)) return [];
      const key = vm.tags[KEY_TAG] ?? null;
      return [{ handle: this.#handleOf(vm.id, key), owner, key }];
    });
  }

  #remember(name: string, made: Omit<Made, 'at'>): void {
    const now = this.#options.pace.now();
    this.#doubts.delete(name);
    for (const [key, { at }] of this.#made) if (now - at > REMEMBERED_MS) this.#made.delete(key);
    this.#made.set(name, { ...made, at: now });
  }

  /** `key`: of the order; null = it is not known. */
  #handleOf(id: string, key: string | null): InstanceHandle {
    return { id, data: this.#options.way.handleData?.(key) ?? null };
  }

  #orderedOf({ instanceId, key }: InstanceOrder, id: string): CreatedInstance {
    return { handle: this.#handleOf(id, key), hostId: instanceId, provisioningData: null };
  }

  /** An earlier order may have taken another offer. */
  #createdOf({ instanceId, offer, key }: InstanceOrder, vm: Vm): CreatedInstance {
    const { instance, region } = vm;
    const taken = offer && { ...offer, instance, region, price: vm.price ?? offer.price };
    return {
      handle: this.#handleOf(vm.id, key),
      hostId: instanceId,
      provisioningData: taken && orderedProvisioningData(taken, vm.id, this.#options.way.known),
    };
  }
}

function dataOf(cloud: VmCloud, vm: Vm, known: Partial<ProvisioningData>): ProvisioningData {
  const { type: backend } = cloud;
  const { instance, region, price } = vm;
  const { runtime: instance_runtime } = capabilitiesOf(backend);
  const of = { backend, instance, region, price: price ?? 0, instance_runtime };
  return orderedProvisioningData(of, vm.id, { availability_zone: vm.zone ?? null, ...known });
}
