/** Vultr as a provider of machines. */
import type { Offer } from '@dstack/core';
import { PreparingError } from '../base/errors.ts';
import type { CheckResult, Claims } from '../base/port.ts';
import { flatTags, tagsFrom } from '../base/rest-vm/flat-tags.ts';
import { claimsByApi } from '../base/rest-vm/key-claims.ts';
import { createsNothing } from '../base/rest-vm/rest-client.ts';
import { tried } from '../base/rest-vm/tried.ts';
import { unknownInstance } from '../base/rest-vm/unknown-instance.ts';
import type { Vm, VmOrder, VmPhase, WholeCloud } from '../base/rest-vm/vm-cloud.ts';
import { isMetal, type Plan, type Server, type VultrApi } from './api.ts';
import { instanceOfPlan, vultrOffers } from './offers.ts';

export interface VultrOptions {
  readonly api: VultrApi;
  /** Regions of the configuration; null = all. */
  readonly regions: readonly string[] | null;
}

const STATUSES: Readonly<Record<string, VmPhase>> = {
  active: 'ready',
  failed: 'broken',
  // By the provider, such as for a missing payment. It is charged for all the same.
  suspended: 'broken',
};
/** Ubuntu 22.04; on machines with GPUs the provider adds drivers and Docker. */
const UBUNTU = 1743;
/** Ubuntu with Docker, from the provider's marketplace. */
const DOCKER = 'docker';
const NO_ADDRESS = '0.0.0.0';

export class Vultr implements WholeCloud {
  readonly type = 'vultr';
  readonly title = 'Vultr';
  readonly loginUser = 'root';
  readonly statuses = STATUSES;
  readonly lateMs = 30_000;
  /** Its images have a firewall that lets only SSH in; its networks are in this range. */
  readonly firstScript = `
if command -v ufw >/dev/null 2>&1; then
  ufw allow from 10.0.0.0/8
fi
`;
  readonly claims: Claims;
  readonly #options: VultrOptions;
  /** Ids of networks, by regions. */
  readonly #networks = new Map<string, string>();
  /** As they were listed last, by their ids. */
  #plans: ReadonlyMap<string, Plan> = new Map();

  constructor(options: VultrOptions) {
    this.#options = options;
    this.claims = claimsByApi(this.title, options.api);
  }

  async list(): Promise<readonly Vm[]> {
    return (await this.#options.api.servers()).map((server) => this.#vmOf(server));
  }

  /**
   * The network in which the machines of a region reach each other, by the name that it has in dstack 0.22.5. It is
   * looked up for each order: two servers may add one at once, since names need not differ, and then both use the same.
   */
  async prepare({ offer: { region } }: VmOrder): Promise<void> {
    const name = `dstack-vpc-${region}`;
    const known = await this.#network(region, name);
    this.#networks.set(region, known ?? (await this.#addNetwork(region, name)));
  }

  async #addNetwork(region: string, name: string): Promise<string> {
    const added = await this.#options.api.addVpc(region, name);
    return (await this.#network(region, name)) ?? added.id;
  }

  async #network(region: string, name: string): Promise<string | null> {
    const networks = await this.#options.api.vpcs();
    const named = networks.filter((vpc) => vpc.description === name && vpc.region === region);
    return named.map(({ id }) => id).toSorted()[0] ?? null;
  }

  async create({ name, offer, tags, userData, signal }: VmOrder): Promise<string> {
    const { region, instance } = offer;
    const network = this.#networks.get(region);
    // Another order has been refused since.
    if (network === undefined) {
      throw new PreparingError(`${this.title} is asked for the network of ${region} again`);
    }
    const hasDrivers = !isMetal(instance.name) && instance.resources.gpus.length > 0;
    try {
      const server = {
        ...{ region, plan: instance.name, label: name, tags: flatTags(tags) },
        ...(hasDrivers ? { os_id: UBUNTU } : { image_id: DOCKER }),
        user_data: Buffer.from(userData).toString('base64'),
        attach_vpc: [network],
      };
      return await this.#options.api.create(server, signal);
    } catch (error) {
      // A user may have deleted the network.
      if (createsNothing(error)) this.#networks.delete(region);
      throw error;
    }
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    await this.#options.api.delete(id);
  }

  async offers(): Promise<readonly Offer[]> {
    const { api, regions } = this.#options;
    const plans = await api.plans();
    this.#plans = new Map(plans.map((plan) => [plan.id, plan]));
    return vultrOffers(plans, regions);
  }

  /** A key has all rights of its user. Vultr also refuses keys from addresses that are not on their list. */
  async check(): Promise<readonly CheckResult[]> {
    const { api } = this.#options;
    const key = await tried('vultr: the API key is accepted', () => api.account());
    if (!key.ok) return [key];
    return [
      key,
      ...(await Promise.all([
        tried('vultr: instances and bare metal', () => api.servers()),
        tried('vultr: VPCs', () => api.vpcs()),
        tried('vultr: SSH keys', () => api.timedKeys()),
      ])),
    ];
  }

  #vmOf(server: Server): Vm {
    const { id, label: name, plan: planId, region, status, server_status: inside = 'ok' } = server;
    const plan = this.#plans.get(planId);
    const isInstalling = status === 'active' && inside !== 'ok';
    const addressIn = (ip: string | undefined) => (ip && ip !== NO_ADDRESS ? ip : null);
    return {
      ...{ id, name, region, status: isInstalling ? `${status}, ${inside}` : status },
      instance: (plan && instanceOfPlan(plan)) ?? unknownInstance(planId),
      price: plan?.hourly_cost ?? null,
      ...{ address: addressIn(server.main_ip), privateAddress: addressIn(server.internal_ip) },
      ...{ tags: tagsFrom(server.tags ?? []), problem: null },
    };
  }
}
