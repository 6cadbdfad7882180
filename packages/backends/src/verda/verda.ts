/** Verda, formerly DataCrunch, as a provider of machines. */
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { BackendError, BusyError, NoCapacityError, PreparingError } from '../base/errors.ts';
import type { CheckResult, Claims } from '../base/port.ts';
import { AccountKeys } from '../base/rest-vm/account-keys.ts';
import { claimsByApi } from '../base/rest-vm/key-claims.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { createsNothing } from '../base/rest-vm/rest-client.ts';
import { tried } from '../base/rest-vm/tried.ts';
import { unknownInstance } from '../base/rest-vm/unknown-instance.ts';
import type { Vm, VmOrder, VmPhase, WholeCloud } from '../base/rest-vm/vm-cloud.ts';
import { withDisk } from '../base/wanted-disk.ts';
import type { InstanceTag, VerdaApi, VerdaInstance } from './api.ts';
import { instanceOf, verdaOffers } from './offers.ts';
import { StartScripts } from './start-scripts.ts';

export interface VerdaOptions {
  readonly type: 'verda' | 'datacrunch';
  readonly api: VerdaApi;
  /** Regions of the configuration; null = all. */
  readonly regions: readonly string[] | null;
  readonly pace: Pick<CallPace, 'now'>;
}

/** The status of a spot machine that is discontinued, and not by an order of ours that is still known. */
const RECLAIMED = 'discontinued by the provider';
const STATUSES: Readonly<Record<string, VmPhase>> = {
  running: 'ready',
  // They are charged for all the same.
  offline: 'broken',
  error: 'broken',
  installation_failed: 'broken',
  no_capacity: 'sold-out',
  deleting: 'ending',
  discontinued: 'ended',
  notfound: 'ended',
  [RECLAIMED]: 'reclaimed',
};
/** The least that the images need, and GB that are sold for a system disk. */
const DISK = { least: 50, most: 10_000 };
const MIB_PER_GIB = 1024;
/** The API does not show how large the system disk is. */
const DISK_TAG = 'dstack-disk-gb';
/** Limits of the API for tags. */
const TAGS = { most: 10, longestKey: 63, longestValue: 127 };
const LONGEST_DESCRIPTION = 60;

export class Verda implements WholeCloud {
  readonly type: VerdaOptions['type'];
  readonly title = 'Verda';
  readonly loginUser = 'root';
  readonly statuses = STATUSES;
  readonly lateMs = 30_000;
  readonly takesScript = true;
  readonly claims: Claims;
  readonly #options: VerdaOptions;
  readonly #keys: AccountKeys;
  readonly #scripts: StartScripts;
  /** As they were listed last, by their ids. */
  #listed: ReadonlyMap<string, VerdaInstance> = new Map();

  constructor(options: VerdaOptions) {
    this.#options = options;
    const { type, api, pace } = options;
    this.type = type;
    this.#keys = new AccountKeys({
      list: async () => (await api.timedKeys()).keys,
      add: (name, publicKey) => api.addKey(name, publicKey),
    });
    this.#scripts = new StartScripts({ title: this.title, api, pace });
    this.claims = claimsByApi(this.title, api);
  }

  async list(): Promise<readonly Vm[]> {
    const instances = await this.#options.api.instances();
    this.#listed = new Map(instances.map((one) => [one.id, one]));
    this.#scripts.listed(instances);
    return instances.map(vmOf);
  }

  /** An order names a script and keys that the account has. */
  async prepare(order: VmOrder): Promise<void> {
    await this.#keys.ensure(order);
    await this.#scripts.ensure(order.name, order.userData);
  }

  async create(order: VmOrder): Promise<string> {
    const { name, offer, owner, tags, signal } = order;
    const key = this.#keys.idOf(order);
    const script = this.#scripts.idOf(name);
    // Another order has been refused since.
    if (key === null || script === null) {
      throw new PreparingError(`${this.title} is asked for the key and the start-up script again`);
    }
    const { instance, region } = offer;
    const { spot, disk } = instance.resources;
    const size = Math.round((disk?.size_mib ?? 0) / MIB_PER_GIB);
    const machine = {
      ...{ instance_type: instance.name, location_code: region, image: imageIn(offer) },
      ...{ hostname: name, description: owner.instance.slice(0, LONGEST_DESCRIPTION) || name },
      ...{ ssh_key_ids: [key], startup_script_id: script },
      os_volume: {
        ...{ name: `${name}-system`, size },
        // It would be kept, and charged for.
        ...(spot && { on_spot_discontinue: 'delete_permanently' as const }),
      },
      ...{ is_spot: spot, pricing: 'FIXED_PRICE' as const },
      tags: tagsOf({ ...tags, [DISK_TAG]: String(size) }),
    };
    try {
      const id = await this.#options.api.create(machine, signal);
      this.#scripts.used(name);
      return id;
    } catch (error) {
      if (createsNothing(error) && !(error instanceof BusyError)) {
        // A user may have deleted the key.
        if (!(error instanceof NoCapacityError)) this.#keys.forget();
        await this.#scripts.drop(name);
      }
      throw error;
    }
  }

  /** Its disk is named, since it is charged for where it stays. Another backend of the account may have listed both. */
  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    const { api } = this.#options;
    const listed = this.#listed.get(id);
    const known = listed?.os_volume_id ? listed : await api.instance(id);
    await api.end(id, known.os_volume_id ?? null);
    if (known.startup_script_id) await this.#scripts.remove(known.startup_script_id);
  }

  async offers(): Promise<readonly Offer[]> {
    const { api, regions, type } = this.#options;
    const [types, onDemand, spot, locations] = await Promise.all([
      ...([api.types(), api.availability(false), api.availability(true)] as const),
      api.locations(),
    ]);
    return verdaOffers(type, { types, onDemand, spot, locations, regions });
  }

  shaped(offer: Offer, requirements: Requirements): Offer | null {
    return withDisk(offer, requirements, DISK);
  }

  /** Whether a client may order machines cannot be tried without ordering one. */
  async check(): Promise<readonly CheckResult[]> {
    const { api, regions, type } = this.#options;
    const client = await tried(`${type}: the client id and its secret are accepted`, () =>
      api.instances(),
    );
    if (!client.ok) return [client];
    return [
      client,
      ...(await Promise.all([
        tried(`${type}: regions`, async () => {
          const locations = await api.locations();
          const wrong = (regions ?? []).filter((region) => !locations.includes(region));
          if (wrong.length === 0) return;
          throw new BackendError(
            `there is no region ${wrong.join(', ')} (regions); there are ${locations.join(', ')}`,
          );
        }),
        tried(`${type}: SSH keys`, () => api.timedKeys()),
        tried(`${type}: start-up scripts`, () => api.timedScripts()),
      ])),
    ];
  }
}

function vmOf(one: VerdaInstance): Vm {
  const { id, hostname: name, location: region, is_spot: isSpot = false, price_per_hour } = one;
  const price = Number(price_per_hour ?? Number.NaN);
  const tags = Object.fromEntries((one.tags ?? []).map(({ key, value }) => [key, value ?? '']));
  const known = instanceOf(one, isSpot) ?? unknownInstance(one.instance_type);
  const disk = { size_mib: Number(tags[DISK_TAG] ?? 0) * MIB_PER_GIB };
  const isOver = STATUSES[one.status] === 'ended';
  return {
    ...{ id, name, region, tags, isOver, problem: null },
    status: isSpot && one.status === 'discontinued' ? RECLAIMED : one.status,
    instance: { ...known, resources: { ...known.resources, disk, spot: isSpot } },
    price: Number.isNaN(price) ? null : price,
    ...{ address: one.ip || null, privateAddress: one.private_ip || null },
  };
}

const imageIn = ({ backend_data }: Offer): string =>
  String((backend_data as { readonly image?: unknown }).image ?? '');

/** Those of users only as far as there is room: without those of dstack nothing shows whose a machine is. */
function tagsOf(tags: Readonly<Record<string, string>>): InstanceTag[] {
  const isOwn = ([key]: readonly [string, string]) => key.startsWith('dstack-');
  const all = Object.entries(tags).filter(
    ([key, value]) => key.length <= TAGS.longestKey && value.length <= TAGS.longestValue,
  );
  return [...all.filter(isOwn), ...all.filter((tag) => !isOwn(tag))]
    .slice(0, TAGS.most)
    .map(([key, value]) => (value === '' ? { key } : { key, value }));
}
