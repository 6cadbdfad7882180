/** DigitalOcean, and AMD Developer Cloud, as providers of machines. */

import type { BackendType } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { BackendError, BusyError, NoCapacityError, PreparingError } from '../base/errors.ts';
import type { CheckResult, Claims } from '../base/port.ts';
import { AccountKeys } from '../base/rest-vm/account-keys.ts';
import { flatTags, tagsFrom } from '../base/rest-vm/flat-tags.ts';
import { claimsByApi } from '../base/rest-vm/key-claims.ts';
import { tried } from '../base/rest-vm/tried.ts';
import { unknownInstance } from '../base/rest-vm/unknown-instance.ts';
import type { Vm, VmOrder, VmPhase, WholeCloud } from '../base/rest-vm/vm-cloud.ts';
import type { DigitalOceanApi, Droplet } from './api.ts';
import { dropletInstance, dropletOffers, imageFor } from './offers.ts';

export interface DigitalOceanOptions {
  readonly type: BackendType;
  readonly title: string;
  readonly api: DigitalOceanApi;
  /** Regions of the configuration; null = all. */
  readonly regions: readonly string[] | null;
  /** Null: the default project of the account. */
  readonly projectName: string | null;
}

const STATUSES: Readonly<Record<string, VmPhase>> = {
  new: 'waiting',
  active: 'ready',
  // It costs money until it is deleted.
  off: 'broken',
  archive: 'broken',
};

export class DigitalOcean implements WholeCloud {
  readonly type: BackendType;
  readonly title: string;
  readonly loginUser = 'root';
  readonly statuses = STATUSES;
  readonly lateMs = 30_000;
  readonly #options: DigitalOceanOptions;
  readonly #keys: AccountKeys;
  #projectId: string | null = null;

  readonly claims: Claims;

  constructor(options: DigitalOceanOptions) {
    this.#options = options;
    this.type = options.type;
    this.title = options.title;
    const { api, title } = options;
    this.#keys = new AccountKeys({
      list: async () => (await api.timedKeys()).keys,
      add: async (name, publicKey) => String((await api.addKey(name, publicKey)).id),
    });
    this.claims = claimsByApi(title, api);
  }

  async list(): Promise<readonly Vm[]> {
    return (await this.#options.api.droplets()).map(vmOf);
  }

  async prepare(order: VmOrder): Promise<void> {
    await this.#keys.ensure(order);
    await this.#project();
  }

  async create(order: VmOrder): Promise<string> {
    const { offer, name, tags, userData, signal } = order;
    const { projectName } = this.#options;
    const keyId = this.#keys.idOf(order);
    // Another order has been refused since, after which both are looked up anew.
    if (keyId === null || (projectName !== null && this.#projectId === null)) {
      throw new PreparingError(`${this.title} is asked for the key and the project again`);
    }
    try {
      const droplet = {
        ...{ name, region: offer.region, size: offer.instance.name },
        image: imageFor(offer.instance),
        ssh_keys: [Number(keyId)],
        tags: flatTags(tags),
        user_data: userData,
        ...(this.#projectId !== null && { project_id: this.#projectId }),
      };
      const { id } = await this.#options.api.create(droplet, signal);
      return String(id);
    } catch (error) {
      // A user may have deleted the key or the project.
      if (!isAboutOffer(error)) {
        this.#keys.forget();
        this.#projectId = null;
      }
      throw error;
    }
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    await this.#options.api.delete(id);
  }

  async offers(): Promise<readonly Offer[]> {
    const { api, regions, type } = this.#options;
    return dropletOffers(type, await api.sizes(), regions);
  }

  /** Tokens have scopes; those for creating cannot be tried without creating something. */
  async check(): Promise<readonly CheckResult[]> {
    const { api, projectName } = this.#options;
    const token = await this.#tried('account:read', () => api.account());
    if (!token.ok) return [token];
    return [
      token,
      ...(await Promise.all([
        this.#tried('sizes:read', () => api.sizes()),
        this.#tried('droplet:read', () => api.droplets()),
        this.#tried('ssh_key:read', () => api.keys()),
        ...(projectName === null ? [] : [this.#tried('project:read', () => this.#project())]),
      ])),
    ];
  }

  #tried(scope: string, call: () => Promise<unknown>): Promise<CheckResult> {
    return tried(`${this.type}: ${scope}`, call);
  }

  async #project(): Promise<void> {
    const { api, projectName } = this.#options;
    if (projectName === null || this.#projectId !== null) return;
    const found = (await api.projects()).find(({ name }) => name === projectName);
    if (!found)
      throw new BackendError(`${this.title} has no project ${projectName} (project_name)`);
    this.#projectId = found.id;
  }
}

/** Otherwise it may be about what was created for it before. */
function isAboutOffer(error: unknown): boolean {
  return error instanceof NoCapacityError || error instanceof BusyError;
}

function vmOf({ id, name, status, size, region, networks, tags }: Droplet): Vm {
  const address = (type: string) =>
    networks.v4?.find((one) => one.type === type)?.ip_address ?? null;
  return {
    ...{ id: String(id), name, status, region: region.slug, price: size.price_hourly },
    instance: dropletInstance(size) ?? unknownInstance(size.slug),
    ...{ address: address('public'), privateAddress: address('private'), problem: null },
    tags: tagsFrom(tags),
  };
}
