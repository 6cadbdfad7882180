/** Hot Aisle as a provider of machines. */
import type { Offer } from '@dstack/core';
import { BackendError, NoAnswerError, SkipOfferError } from '../base/errors.ts';
import type { CheckResult, Claims } from '../base/port.ts';
import { AccountKeys } from '../base/rest-vm/account-keys.ts';
import { keyClaims } from '../base/rest-vm/key-claims.ts';
import { KEY_TAG, vmName } from '../base/rest-vm/names.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import { createsNothing } from '../base/rest-vm/rest-client.ts';
import { tried } from '../base/rest-vm/tried.ts';
import { unknownInstance } from '../base/rest-vm/unknown-instance.ts';
import type { Vm, VmOrder, VmPhase, WholeCloud } from '../base/rest-vm/vm-cloud.ts';
import type { HotAisleApi, HotAisleVm, UserTeam, VmSpecs } from './api.ts';
import { descriptionOf, tagsIn } from './descriptions.ts';
import { hotAisleOffers, REGION, vmInstance } from './offers.ts';
import { type UnnamedOrders, vmsOfOrder } from './unnamed-orders.ts';

export interface HotAisleOptions {
  readonly api: HotAisleApi;
  readonly team: string;
  /** Regions of the configuration; null = all. */
  readonly regions: readonly string[] | null;
  readonly orders: UnnamedOrders;
  /** Whether the configuration asks for bare-metal machines too. */
  readonly bareMetal: boolean;
}

/** The words of libvirt, of which the document lists the first three. */
const STATUSES: Readonly<Record<string, VmPhase>> = {
  running: 'ready',
  'shut off': 'broken',
  paused: 'broken',
  crashed: 'broken',
};
const RUNNING = 'running';
/** The right to order machines. */
const OPERATOR = 'operator';

export class HotAisle implements WholeCloud {
  readonly type = 'hotaisle';
  readonly title = 'Hot Aisle';
  readonly loginUser = 'hotaisle';
  readonly statuses = STATUSES;
  readonly lateMs = 30_000;
  /** Machines with user data of their own are built twice. */
  readonly takesUserData = false;
  readonly notes: readonly string[];
  readonly claims: Claims;
  readonly #options: HotAisleOptions;
  readonly #keys: AccountKeys;
  /** Names of machines that have been running. */
  #started = new Set<string>();
  /** US dollars per hour, by the names of types, as they were listed last. */
  #prices: ReadonlyMap<string, number> = new Map();
  /** The end of the last order. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: HotAisleOptions) {
    this.#options = options;
    const { api, bareMetal } = options;
    this.notes = bareMetal
      ? ['bare_metal of the configuration has no effect: only virtual machines are ordered']
      : [];
    this.#keys = new AccountKeys({
      list: async () => (await api.timedKeys()).keys,
      // Orders name no key.
      add: async (_, publicKey) => {
        await api.addKey(publicKey);
        return '';
      },
    });
    this.claims = keyClaims({
      title: this.title,
      list: () => api.timedKeys(),
      add: (_, publicKey) => api.addKey(publicKey),
      remove: (id) => api.removeKey(id),
    });
  }

  /** The machine of the order that is under way gets its description here, if it has none yet. */
  async list(): Promise<readonly Vm[]> {
    const { api } = this.#options;
    const listed = await this.#described(await api.vms());
    const ours = listed.filter(({ description = '' }) => KEY_TAG in tagsIn(description));
    const states = await Promise.all(ours.map(({ name }) => this.#stateOf(name)));
    const stateOf = new Map(ours.map(({ name }, at) => [name, states[at] ?? null]));
    this.#started = new Set(listed.map(({ name }) => name).filter((it) => this.#started.has(it)));
    for (const [name, state] of stateOf) if (state === RUNNING) this.#started.add(name);
    return listed.flatMap((vm) => {
      const state = stateOf.get(vm.name);
      // It has ended since.
      if (state === null) return [];
      return [this.#vmOf(vm, this.#statusOf(vm.name, state ?? RUNNING))];
    });
  }

  async prepare(order: VmOrder): Promise<void> {
    await this.#keys.ensure(order);
  }

  /** One after another. */
  create(order: VmOrder): Promise<string> {
    const made = this.#last.then(() => this.#create(order));
    this.#last = made.catch(() => {});
    return made;
  }

  async #create({ name, offer, tags, signal }: VmOrder): Promise<string> {
    const { api, orders } = this.#options;
    const specs = specsOf(offer);
    const description = descriptionOf(tags);
    const { cpu_cores, ram_capacity, gpus = [] } = specs;
    await orders.begin({ name, description, specs: { cpu_cores, ram_capacity, gpus } });
    const made = await this.#ordered(name, specs, signal);
    await orders.note(name, { made });
    try {
      await api.describe(made, description);
    } catch (error) {
      throw new NoAnswerError(`Hot Aisle: ${made} has no description yet`, { cause: error });
    }
    await orders.close(name);
    return made;
  }

  async #ordered(name: string, specs: VmSpecs, signal: AbortSignal | undefined): Promise<string> {
    const { api, orders } = this.#options;
    try {
      const before = (await api.vms()).map((vm) => vm.name);
      await orders.note(name, { before });
    } catch (error) {
      await orders.close(name);
      throw error;
    }
    try {
      return await api.order(specs, signal);
    } catch (error) {
      if (createsNothing(error)) {
        await orders.close(name);
        // A user may have deleted the key.
        this.#keys.forget();
      }
      throw error;
    }
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    await this.#options.api.end(id);
  }

  async offers(): Promise<readonly Offer[]> {
    const { api, regions } = this.#options;
    const [types, { most }, vms] = await Promise.all([api.available(), this.#team(), api.vms()]);
    const offers = hotAisleOffers(types, { regions, hasQuota: vms.length < most });
    this.#prices = new Map(offers.map(({ instance, price }) => [instance.name, price]));
    return offers;
  }

  /** The roles of the key are listed; whether it may add SSH keys cannot be tried without adding one. */
  async check(): Promise<readonly CheckResult[]> {
    const { api, team } = this.#options;
    const key = await tried('hotaisle: the API key is accepted', () => api.teams());
    if (!key.ok) return [key];
    return [
      key,
      ...(await Promise.all([
        tried(`hotaisle: role ${OPERATOR} in team ${team}`, async () => {
          const { roles } = await this.#team();
          if (roles.includes(OPERATOR) || roles.includes('owner')) return;
          throw new BackendError(
            `the API key has the roles ${roles.join(', ') || 'none'} in team ${team}, and needs ${OPERATOR}`,
          );
        }),
        tried('hotaisle: SSH keys', () => api.timedKeys()),
      ])),
    ];
  }

  async #team(): Promise<UserTeam> {
    const { api, team } = this.#options;
    const found = (await api.teams()).find(({ handle }) => handle === team);
    if (found) return found;
    throw new BackendError(`the user of the API key is in no team ${team} (team_handle)`);
  }

  async #described(vms: readonly HotAisleVm[]): Promise<readonly HotAisleVm[]> {
    const { api, orders } = this.#options;
    const open = await orders.open();
    if (!open) return vms;
    const { name, description } = open;
    const [found, ...others] = vmsOfOrder(open, vms);
    if (!found) await orders.notListed(name);
    // One of them is a person's, who would lose it.
    if (!found || others.length > 0) return vms;
    try {
      if (found.description !== description) await api.describe(found.name, description);
      await orders.close(name);
    } catch (error) {
      // It is followed all the same, and the next list tries again.
      if (error instanceof MissingThingError) return vms.filter((vm) => vm !== found);
    }
    return vms.map((vm) => (vm === found ? { ...vm, description } : vm));
  }

  /** Null: there is none of this name any more. */
  async #stateOf(name: string): Promise<string | null> {
    try {
      return await this.#options.api.state(name);
    } catch (error) {
      if (error instanceof MissingThingError) return null;
      throw error;
    }
  }

  /** A machine may be off for a moment before it starts for the first time. */
  #statusOf(name: string, state: string): string {
    const isNew = STATUSES[state] === 'broken' && state !== 'crashed' && !this.#started.has(name);
    return isNew ? `${state}, not started yet` : state;
  }

  #vmOf(vm: HotAisleVm, status: string): Vm {
    const { name: id, ip_address: ip, ssh_access: ssh, description = '' } = vm;
    const tags = tagsIn(description);
    const key = tags[KEY_TAG];
    const instance = vmInstance(vm) ?? unknownInstance('vm');
    return {
      ...{ id, status, tags, instance, region: REGION, problem: null },
      name: key === undefined ? id : vmName(key),
      price: this.#prices.get(instance.name) ?? null,
      ...{ address: ssh?.ip_address ?? ip, privateAddress: null, sshPort: ssh?.port ?? null },
    };
  }
}

function specsOf({ backend_data: data, instance }: Offer): VmSpecs {
  const { vm_specs: specs } = (data ?? {}) as { readonly vm_specs?: VmSpecs };
  if (specs) return specs;
  throw new SkipOfferError(`the offer of ${instance.name} has no specifications to order it by`);
}
