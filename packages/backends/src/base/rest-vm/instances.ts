/** Machines of a provider as instances. */
import type { LeaseEnding, NoticeWatch } from '@dstack/contract/agent';
import { capabilitiesOf, type InstanceHandle, type ProvisioningData } from '@dstack/core';
import type {
  CreatedInstance,
  HowReleased,
  InstanceOrder,
  InstancePort,
  ListedInstance,
  Observation,
} from '../instance-port.ts';
import { orderedProvisioningData } from '../provisioning-data.ts';
import type { AccountVms } from './account-vms.ts';
import { JudgedLists } from './judged-lists.ts';
import type { LiveOffers } from './live-offers.ts';
import { MadeVms } from './made-vms.ts';
import { KEY_TAG, ownerIn } from './names.ts';
import type { CallPace } from './pace.ts';
import type { Vm, VmCloud } from './vm-cloud.ts';
import { VmEnds } from './vm-ends.ts';
import { VmOrders } from './vm-orders.ts';
import { isOver, phaseOf } from './vm-phases.ts';
import type { VmWay } from './vm-way.ts';

export interface VmInstancesOptions {
  readonly cloud: VmCloud;
  readonly offers: Pick<LiveOffers, 'priceOf' | 'refused'>;
  readonly way: VmWay;
  readonly pace: CallPace;
  /** The lists of the account, which backends with the same credentials share. */
  readonly account: AccountVms;
}

export class VmInstances implements InstancePort {
  readonly notices?: NoticeWatch;
  readonly dial?: NonNullable<InstancePort['dial']>;
  readonly leaseEnding?: LeaseEnding;
  readonly watch?: NonNullable<InstancePort['watch']>;
  /** An agent reports that it lives; how its machine ends, only lists do. */
  readonly watchesPartly = true;
  readonly #options: VmInstancesOptions;
  readonly #made: MadeVms;
  readonly #lists: JudgedLists;
  readonly #ends: VmEnds;
  readonly #orders: VmOrders;
  /** Ids of listed machines that the provider had none left for. */
  readonly #soldOut = new Set<string>();

  constructor(options: VmInstancesOptions) {
    this.#options = options;
    const { cloud, way } = options;
    if (cloud.notices) this.notices = cloud.notices;
    if (cloud.leaseEnding) this.leaseEnding = cloud.leaseEnding;
    if (way.dial) this.dial = way.dial;
    const { watch } = way;
    if (watch) this.watch = (onChange) => watch((data) => this.#reachable(data, onChange));
    const made = new MadeVms(options.pace);
    const lists = new JudgedLists({ ...options, made });
    const ends = new VmEnds({ ...options, lists });
    this.#orders = new VmOrders({ ...options, made, lists, ends });
    this.#made = made;
    this.#lists = lists;
    this.#ends = ends;
  }

  #reachable(data: string, onChange: (handleId: string) => void): void {
    const { way, cloud } = this.#options;
    const listed = this.#lists.withData(data);
    const id = listed?.id ?? this.#made.idWhere((key) => way.handleData?.(key) === data);
    if (id === null) return;
    // The last list is older than the report. All agents connect anew after a restart, and change nothing.
    if (listed === null || phaseOf(cloud, listed) === 'waiting') this.#lists.changed();
    onChange(id);
  }

  async create(order: InstanceOrder): Promise<CreatedInstance> {
    const { id, vm } = await this.#orders.create(order);
    return {
      handle: this.#handleOf(id, order.key),
      hostId: order.instanceId,
      provisioningData: vm && this.#foundData(order, vm),
    };
  }

  /** An earlier order may have taken another offer. */
  #foundData({ offer }: InstanceOrder, vm: Vm): ProvisioningData | null {
    const { instance, region } = vm;
    const taken = offer && { ...offer, instance, region, price: vm.price ?? offer.price };
    return taken && orderedProvisioningData(taken, vm.id, this.#options.way.known);
  }

  async observe(handle: InstanceHandle): Promise<Observation> {
    const { id } = handle;
    const machines = await this.#lists.shared();
    const vm = machines.find((one) => one.id === id);
    if (vm === undefined) {
      // Lists may not contain it yet.
      const isNew = this.#made.isNew(id, this.#options.cloud.lateMs);
      if (!isNew) this.#lists.missing.missing(id);
      return { state: 'missing' };
    }
    this.#lists.missing.found(id);
    this.#ends.endDoubles(handle, vm, machines);
    return this.#observationOf(vm, handle);
  }

  #observationOf(vm: Vm, handle: InstanceHandle): Observation {
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
    const reached = way.reached(vm, handle);
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
    for (const one of this.#soldOut) if (!this.#lists.hasListed(one)) this.#soldOut.delete(one);
    this.#soldOut.add(id);
    const availability_zones = zone == null ? null : [zone];
    this.#options.offers.refused({ instance, region, availability_zones }, 'capacity', text);
  }

  async release(handle: InstanceHandle, how?: HowReleased): Promise<'released' | 'releasing'> {
    return await this.#ends.release(handle, how);
  }

  async list({ server }: { readonly server: string }): Promise<readonly ListedInstance[]> {
    const machines = await this.#lists.fresh();
    return machines.flatMap((vm) => {
      const owner = ownerIn(vm.tags);
      if (owner.server !== server || isOver(this.#options.cloud, vm)) return [];
      const key = vm.tags[KEY_TAG] ?? null;
      return [{ handle: this.#handleOf(vm.id, key), owner, key }];
    });
  }

  /** `key`: of the order; null = it is not known. */
  #handleOf(id: string, key: string | null): InstanceHandle {
    return { id, data: this.#options.way.handleData?.(key) ?? null };
  }
}

/** A price of 0: the provider reports none. */
function dataOf(cloud: VmCloud, vm: Vm, known: Partial<ProvisioningData>): ProvisioningData {
  const { type: backend } = cloud;
  const { instance, region, price } = vm;
  const { runtime: instance_runtime } = capabilitiesOf(backend);
  const of = { backend, instance, region, price: price ?? 0, instance_runtime };
  return orderedProvisioningData(of, vm.id, { availability_zone: vm.zone ?? null, ...known });
}
