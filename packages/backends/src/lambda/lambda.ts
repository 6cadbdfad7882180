/** Lambda as a provider of machines. */

import type { Offer } from '@dstack/core';
import { BusyError, NoCapacityError, PreparingError } from '../base/errors.ts';
import type { CheckResult, Claims } from '../base/port.ts';
import { AccountKeys } from '../base/rest-vm/account-keys.ts';
import { claimsByApi } from '../base/rest-vm/key-claims.ts';
import { tried } from '../base/rest-vm/tried.ts';
import { unknownInstance } from '../base/rest-vm/unknown-instance.ts';
import type { Vm, VmOrder, VmPhase, WholeCloud } from '../base/rest-vm/vm-cloud.ts';
import type { LambdaApi, LambdaInstance, LambdaTag } from './api.ts';
import { type KnownRegions, lambdaInstance, lambdaOffers, priceOf } from './offers.ts';

export interface LambdaOptions {
  readonly api: LambdaApi;
  /** Regions of the configuration; null = all. */
  readonly regions: readonly string[] | null;
  readonly known: KnownRegions;
}

const STATUSES: Readonly<Record<string, VmPhase>> = {
  booting: 'waiting',
  active: 'ready',
  // The machine is there; its agent decides.
  unhealthy: 'ready',
  terminating: 'ending',
  terminated: 'ended',
  preempted: 'reclaimed',
};

export class Lambda implements WholeCloud {
  readonly type = 'lambda';
  readonly title = 'Lambda';
  readonly loginUser = 'ubuntu';
  readonly statuses = STATUSES;
  readonly lateMs = 30_000;
  readonly claims: Claims;
  readonly #options: LambdaOptions;
  /** Machines are ordered with the names of keys, which are their ids here. */
  readonly #keys: AccountKeys;

  constructor(options: LambdaOptions) {
    const { api } = options;
    this.#options = options;
    this.claims = claimsByApi(this.title, api);
    this.#keys = new AccountKeys({
      list: async () => {
        const { keys } = await api.timedKeys();
        return keys.map(({ name: id, publicKey }) => ({ id, publicKey }));
      },
      add: async (name, publicKey) => {
        await api.addKey(name, publicKey);
        return name;
      },
    });
  }

  async list(): Promise<readonly Vm[]> {
    return (await this.#options.api.instances()).map(vmOf);
  }

  /** Lambda requires a key of the account, although the user data has the keys. */
  async prepare(order: VmOrder): Promise<void> {
    await this.#keys.ensure(order);
  }

  async create(order: VmOrder): Promise<string> {
    const { offer, name, tags, userData, signal } = order;
    const key = this.#keys.idOf(order);
    // Another order has been refused since.
    if (key === null) throw new PreparingError(`${this.title} is asked for its keys again`);
    try {
      const launch = {
        region_name: offer.region,
        instance_type_name: offer.instance.name,
        ssh_key_names: [key],
        name,
        tags: validTags(tags),
        user_data: userData,
      };
      return await this.#options.api.launch(launch, signal);
    } catch (error) {
      // A user may have deleted the key.
      if (!isAboutOffer(error)) this.#keys.forget();
      throw error;
    }
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    await this.#options.api.terminate(id);
  }

  async offers(): Promise<readonly Offer[]> {
    const { api, regions, known } = this.#options;
    return lambdaOffers(await api.types(), { regions, known });
  }

  /** Every key of Lambda has all rights, so one harmless call shows whether it is accepted. */
  async check(): Promise<readonly CheckResult[]> {
    return [await tried('lambda: the API key is accepted', () => this.#options.api.types())];
  }
}

/** Otherwise it may be about what was created for it before. */
function isAboutOffer(error: unknown): boolean {
  return error instanceof NoCapacityError || error instanceof BusyError;
}

function vmOf(one: LambdaInstance): Vm {
  const { id, name, ip, private_ip: privateIp, status, region, instance_type: type } = one;
  return {
    ...{ id, status, name: name ?? '', region: region.name, price: priceOf(type), problem: null },
    instance: lambdaInstance(type) ?? unknownInstance(type.name),
    ...{ address: ip ?? null, privateAddress: privateIp ?? null },
    tags: Object.fromEntries((one.tags ?? []).map(({ key, value }) => [key, value])),
  };
}

const TAG_KEY = /^[a-z][a-z0-9-:]{1,54}$/;
const LONGEST_VALUE = 128;

/** Tags that Lambda would refuse are left out, as in dstack 0.22.5. */
function validTags(tags: Readonly<Record<string, string>>): LambdaTag[] {
  return Object.entries(tags)
    .filter(([key, value]) => TAG_KEY.test(key) && value.length <= LONGEST_VALUE)
    .map(([key, value]) => ({ key, value }));
}
