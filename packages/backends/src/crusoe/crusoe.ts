/** Crusoe as a provider of machines. */
import { createHash } from 'node:crypto';
import type { Offer } from '@dstack/core';
import { BackendError } from '../base/errors.ts';
import type { CheckResult, Claims } from '../base/port.ts';
import { claimsByApi } from '../base/rest-vm/key-claims.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import { tried } from '../base/rest-vm/tried.ts';
import { unknownInstance } from '../base/rest-vm/unknown-instance.ts';
import { firstKey } from '../base/rest-vm/user-data.ts';
import type { Vm, VmOrder, VmPhase, WholeCloud } from '../base/rest-vm/vm-cloud.ts';
import type { VmOwners } from '../base/rest-vm/vm-owners.ts';
import type { CrusoeApi, CrusoeVm, VmType } from './api.ts';
import { DISK_SCRIPT } from './disk-script.ts';
import { crusoeOffers, instanceOf, priceOf } from './offers.ts';
import type { OpenOrder, OpenOrders } from './open-orders.ts';

export interface CrusoeOptions {
  readonly api: CrusoeApi;
  /** Regions of the configuration; null = all. */
  readonly regions: readonly string[] | null;
  readonly owners: VmOwners;
  readonly orders: OpenOrders;
}

/** The code of an order that was accepted and failed; any other code means `FAILED_ORDER`. */
const OUT_OF_STOCK = 'out_of_stock';
const FAILED_ORDER = 'order failed';
/** Without their `STATE_`. The document lists none; dstack 0.22.5 knows the first and those of an end. */
const STATUSES: Readonly<Record<string, VmPhase>> = {
  RUNNING: 'ready',
  SHUTOFF: 'broken',
  STOPPED: 'broken',
  FAILED: 'broken',
  DELETING: 'ending',
  DELETED: 'ended',
  [OUT_OF_STOCK]: 'sold-out',
  [FAILED_ORDER]: 'broken',
};
/** `dstack-<mark of the server>-<digest of the key>`. */
const NAME = /^dstack-[0-9a-f]{8}-([0-9a-f]{20})$/;
const MARK_DIGITS = 8;

export class Crusoe implements WholeCloud {
  readonly type = 'crusoe';
  readonly title = 'Crusoe';
  readonly loginUser = 'ubuntu';
  readonly statuses = STATUSES;
  readonly lateMs = 30_000;
  readonly takesScript = true;
  readonly firstScript = DISK_SCRIPT;
  readonly notes = [
    'types of Crusoe without disks of their own are left out, and clusters there have no InfiniBand',
  ];
  readonly claims: Claims;
  readonly #options: CrusoeOptions;
  /** As they were listed last, by their names. */
  #types: ReadonlyMap<string, VmType> = new Map();
  #listed: readonly CrusoeVm[] = [];

  constructor(options: CrusoeOptions) {
    this.#options = options;
    this.claims = claimsByApi(this.title, options.api);
  }

  /** Also orders that were accepted and have failed, although there may be no machine of them. */
  async list(): Promise<readonly Vm[]> {
    const { api, owners } = this.#options;
    // First: a machine that is ordered meanwhile is in the list.
    const open = await this.#openOrders();
    const listed = await api.vms();
    this.#listed = listed;
    const ids = new Set(listed.map(({ id }) => id));
    const lost = open.filter(({ id, failure }) => failure !== null && !ids.has(id));
    const all = [...listed, ...lost.map((order) => ({ ...order, state: '' }))];
    const named = all.filter(({ name }) => NAME.test(name));
    const tags = await owners.of(named);
    if (named.some(({ type }) => !this.#types.has(type))) await this.#typesNow();
    const orderOf = new Map(open.map((order) => [order.id, order]));
    return all.map((vm) => this.#vmOf(vm, tags.get(vm.id) ?? {}, orderOf.get(vm.id) ?? null));
  }

  /** The machine itself will show nothing of whose it is. */
  async prepare({ name, owner, tags }: VmOrder): Promise<void> {
    const own = nameOf(name, owner.server);
    // Those of an earlier attempt would have been found by their tags.
    const others = this.#listed.filter((vm) => vm.name === own).map(({ id }) => id);
    await this.#options.owners.keep(own, tags, others);
  }

  async create({ name, owner, offer, userData, signal, ...order }: VmOrder): Promise<string> {
    const { api, orders } = this.#options;
    const { region: location, instance } = offer;
    const machine = {
      ...{ name: nameOf(name, owner.server), type: instance.name, location },
      image: imageOf(instance),
      ...{ ssh_public_key: firstKey(order), startup_script: userData },
    };
    const { id, operation } = await api.create(machine, signal);
    const of = { name: machine.name, type: machine.type, location };
    if (id !== '' && operation !== '') await orders.add({ ...of, id, operation });
    return id;
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    const { api, orders } = this.#options;
    try {
      await api.end(id);
    } catch (error) {
      if (error instanceof MissingThingError) await orders.forget(id);
      throw error;
    }
    await orders.forget(id);
  }

  async offers(): Promise<readonly Offer[]> {
    const { api, regions } = this.#options;
    const all = [this.#typesNow(), api.capacities(), api.quotas()] as const;
    const [types, capacities, quotas] = await Promise.all(all);
    return crusoeOffers({ types, capacities, quotas, regions });
  }

  /** Whether a key may order machines cannot be tried without ordering one. */
  async check(): Promise<readonly CheckResult[]> {
    const { api, regions } = this.#options;
    const key = await tried('crusoe: the access key is accepted, and knows the project', () =>
      api.quotas(),
    );
    if (!key.ok) return [key];
    return [
      key,
      ...(await Promise.all([
        tried('crusoe: regions', async () => {
          const locations = await api.locations();
          const wrong = (regions ?? []).filter((region) => !locations.includes(region));
          if (wrong.length === 0) return;
          throw new BackendError(
            `there is no region ${wrong.join(', ')} (regions); there are ${locations.join(', ')}`,
          );
        }),
        tried('crusoe: machines of the project', () => api.vms()),
        tried('crusoe: SSH keys of the user', () => api.timedKeys()),
      ])),
    ];
  }

  async #typesNow(): Promise<readonly VmType[]> {
    const types = await this.#options.api.types();
    this.#types = new Map(types.map((type) => [type.product_name, type]));
    return types;
  }

  async #openOrders(): Promise<readonly OpenOrder[]> {
    const { api, orders } = this.#options;
    const known = await orders.all();
    if (known.every(({ failure }) => failure !== null)) return known;
    return await orders.settle(await api.operations());
  }

  #vmOf(vm: CrusoeVm, tags: Vm['tags'], order: OpenOrder | null): Vm {
    const { id, name, location: region } = vm;
    const type = this.#types.get(vm.type);
    const { public_ipv4, private_ipv4 } = vm.network_interfaces?.[0]?.ips?.[0] ?? {};
    return {
      ...{ id, name: name.replace(NAME, 'dstack-$1'), region, tags },
      status: statusOf(vm.state.replace(/^STATE_/, ''), order),
      problem: order?.failure?.text ?? null,
      instance: (type && instanceOf(type)) ?? unknownInstance(vm.type),
      price: type ? priceOf(type) : null,
      address: public_ipv4?.address || null,
      privateAddress: private_ipv4?.address || null,
    };
  }
}

/** A machine that is being created may not run for a moment. */
function statusOf(state: string, order: OpenOrder | null): string {
  if (order?.failure) return order.failure.code === OUT_OF_STOCK ? OUT_OF_STOCK : FAILED_ORDER;
  return order !== null && STATUSES[state] === 'broken' ? `${state}, being created` : state;
}

/** Two installations may share a project. */
function nameOf(name: string, server: string): string {
  const mark = createHash('sha256').update(server).digest('hex').slice(0, MARK_DIGITS);
  return name.replace(/^dstack-/, `dstack-${mark}-`);
}

/** With drivers and Docker, as in dstack 0.22.5: there is none for machines without GPUs. */
function imageOf({ name, resources: { gpus } }: Offer['instance']): string {
  if (name.includes('-sxm')) return 'ubuntu22.04-nvidia-sxm-docker:latest';
  if (gpus[0]?.vendor === 'amd') return 'ubuntu-rocm:latest';
  return 'ubuntu22.04-nvidia-pcie-docker:latest';
}
