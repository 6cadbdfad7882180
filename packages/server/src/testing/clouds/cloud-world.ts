/**
 * The machines of a simulated provider as hosts of a simulation: reached by their addresses, over SSH. The agents of
 * containers connect to the server, and are known by their tokens.
 */

import { NO_FAULTS } from '@dstack/backends/sim';
import { temporary } from '@dstack/ssh';
import {
  type DirectCloud,
  directCloud,
  type Vm,
  type VmHostOrder,
  type VmHosts,
} from '@dstack/testkit/cloud';
import type { Random } from '@dstack/testkit/random';
import { NO_DATABASE_FAULTS } from '../simulation/port-store.ts';
import { SimWorld } from '../simulation/sim-backends.ts';
import type { SimClock } from '../simulation/sim-clock.ts';
import type { SimHost } from '../simulation/sim-hosts.ts';
import { CLOUDS, type CloudName, type SimulatedCloud } from './simulated-clouds.ts';

const CPUS = 4;

interface Machine {
  readonly id: string;
  readonly address: string;
  /** In base64; null = it generates one of its own. */
  readonly hostKey: string | null;
  /** In a container: its agent reaches the server. */
  readonly hasSshd: boolean;
  /** The token of its agent, in a container; null = it is a machine without an agent. */
  readonly token: string | null;
}

/** An address is given again as soon as its machine has ended, where the account reuses addresses. */
class Addresses {
  #count = 0;
  readonly #free: string[] = [];

  take(): string {
    return this.#free.pop() ?? `10.9.0.${++this.#count}`;
  }

  giveBack(address: string): void {
    this.#free.push(address);
  }
}

export class CloudWorld extends SimWorld implements VmHosts {
  readonly account: DirectCloud;
  readonly #processes: { readonly count: number };
  readonly #cloud: SimulatedCloud;
  /** Keys of orders, by the ids of their machines. */
  readonly #keys = new Map<string, string>();
  readonly #machines = new Map<string, Machine>();
  readonly #addresses = new Addresses();
  /** Machines by the instances that the server has them for. */
  readonly #machineOf = new Map<string, string>();

  constructor(parts: {
    readonly clock: SimClock;
    readonly random: Random;
    readonly seed: number;
    readonly cloud: CloudName;
  }) {
    const { clock, random, seed, cloud } = parts;
    const processes = { count: 0 };
    super({
      ...{ clock, random, watch: { ...UNWATCHED, onStarted: () => void processes.count++ } },
      hostFaults: { lostAnswer: 0, refusal: 0, crash: 0 },
      ...{ cloudFaults: { ...NO_FAULTS }, databaseFaults: { ...NO_DATABASE_FAULTS } },
    });
    this.account = directCloud({
      ...{ personality: cloud, clock: clock.outside, hosts: this, seed },
    });
    this.#processes = processes;
    this.#cloud = CLOUDS[cloud];
    const { vms } = this.account.account;
    const create = vms.create.bind(vms);
    vms.create = (order) => {
      const vm = create(order);
      this.created.push(vm);
      this.#mark(vm);
      this.onCreated(vm);
      return vm;
    };
    const change = vms.change.bind(vms);
    vms.change = (id, changed) => {
      change(id, changed);
      const vm = vms.get(id);
      if (vm) this.#mark(vm);
    };
  }

  /** All machines that were ever made for a tag of ours. */
  readonly created: Vm[] = [];
  /** Called as soon as the provider has made a machine, before it answers. */
  onCreated: (vm: Vm) => void = () => {};

  /** How many processes of jobs have begun. */
  get processes(): number {
    return this.#processes.count;
  }

  /** Machines of this installation that are charged for. */
  get alive(): readonly Vm[] {
    const all = this.account.account.vms.all();
    const { isCharged, marksLater = false } = this.#cloud;
    // One that has not got its mark yet is ours too.
    const isOurs = ({ id }: Vm) => (marksLater ? !this.#foreign.includes(id) : this.#keys.has(id));
    return all.filter((vm) => isOurs(vm) && isCharged(vm));
  }

  #mark(vm: Vm): void {
    const key = keyOf(vm);
    if (key !== null) this.#keys.set(vm.id, key);
  }

  /** Orders for which more than one machine was made. */
  get doubles(): readonly string[] {
    const keys = [...this.#keys.values()];
    return keys.filter((key, at) => keys.indexOf(key) !== at);
  }

  readonly #foreign: string[] = [];

  /** Makes a machine of another user of the account. */
  addForeign(like: Vm): void {
    const { container } = like;
    const order = {
      ...{ ...like, name: 'foreign', tags: [], userData: null },
      ...(container && { container: { ...container, environment: {} } }),
    };
    this.#foreign.push(this.account.account.vms.create(order).id);
  }

  /** Makes a machine with these tags, which no server has ordered, and returns its id. */
  addUnordered(tags: Readonly<Record<string, string>>): string {
    const { account } = this.account;
    const [type] = account.catalog.types;
    const [region] = account.catalog.regions;
    const [image = ''] = account.catalog.images;
    if (!type || !region) throw new Error('the account sells nothing');
    const order = { type, image, region: region.name, keys: [], name: 'unordered', userData: null };
    const list = Object.entries(tags).map(([key, value]) => ({ key, value }));
    return account.vms.create({ ...order, tags: list, isPublic: true }).id;
  }

  /** Machines of others that were ended. */
  get lostOfOthers(): number {
    return this.#foreign.filter((id) => this.account.account.vms.get(id) === null).length;
  }

  /** Whether no server reaches the machines. */
  cutOff(isCut: boolean): void {
    this.#isCut = isCut;
    for (const host of this.installed) host.setReachable(!isCut);
  }

  #isCut = false;

  async boot({ id, userData, hasSshd, container }: VmHostOrder): Promise<string> {
    const address = this.#addresses.take();
    const token = container?.environment.DSTACK_AGENT_TOKEN ?? null;
    this.#machines.set(id, { id, address, hasSshd, token, hostKey: hostKeyIn(userData) });
    return address;
  }

  async end(id: string): Promise<void> {
    const machine = this.#machines.get(id);
    if (!machine) return;
    this.#machines.delete(id);
    this.#addresses.giveBack(machine.address);
    for (const [instanceId, of] of this.#machineOf) {
      if (of !== id) continue;
      this.hosts.get(instanceId)?.destroy();
      this.hosts.delete(instanceId);
      this.#machineOf.delete(instanceId);
    }
  }

  async reboot(id: string): Promise<void> {
    for (const [instanceId, of] of this.#machineOf) {
      if (of === id) this.hosts.get(instanceId)?.setReachable(false);
    }
  }

  /** The hosts on which an agent was installed. */
  get installed(): readonly SimHost[] {
    return [...this.#machineOf.keys()].flatMap((id) => this.hosts.get(id) ?? []);
  }

  override sshHost(instanceId: string, hostname: string, hostKey: string | null): SimHost {
    const machine = [...this.#machines.values()].find(({ address }) => address === hostname);
    if (this.#isCut) throw temporary(`${hostname}: no route to it`);
    if (!machine?.hasSshd) throw temporary(`${hostname}: connection refused`);
    if (hostKey !== null && machine.hostKey !== hostKey) {
      throw temporary(`${hostname} has another host key`);
    }
    this.#machineOf.set(instanceId, machine.id);
    return this.host(instanceId, { cpus: CPUS, gpus: 0 }, 'docker');
  }

  override dialledHost(instanceId: string, token: string): void {
    const container = [...this.#machines.values()].find((machine) => machine.token === token);
    if (this.#isCut || !container?.hasSshd) throw temporary('its agent has not connected');
    this.#machineOf.set(instanceId, container.id);
    this.host(instanceId, { cpus: CPUS, gpus: 0 }, 'process').setReachable(true);
  }
}

/**
 * The key of the order that a machine was made for; null = dstack did not order it. A provider of containers has no
 * tags: there they are in environment variables of the container, as JSON or as base64 of it. A provider without tags
 * has them in a description, or has flat ones, or only a name made of the key.
 */
function keyOf({ name, tags, container }: Vm): string | null {
  const own = tags.find(({ key }) => key === 'dstack-key')?.value;
  const description = tags.find(({ key }) => key === 'description')?.value ?? '';
  const [, described = null] = /(?:^| )dstack-key=(\S+)/.exec(description) ?? [];
  const flat = tags.find(({ key, value }) => value === null && key.startsWith('dstack-key:'));
  if (described !== null || flat) return described ?? flat?.key ?? null;
  const variables = Object.entries(container?.environment ?? {})
    .filter(([name]) => name.startsWith('DSTACK_TAGS'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = variables.map(([, value]) => value).join('');
  const isNamed = /^dstack-[0-9a-f]{8}-[0-9a-f]{20}$/.test(name);
  if (own !== undefined || text === '') return own ?? (isNamed ? name : null);
  const json = text.startsWith('{') ? text : Buffer.from(text, 'base64url').toString();
  return (JSON.parse(json) as Readonly<Record<string, string>>)['dstack-key'] ?? null;
}

/** In the form in which a server presents it. */
function hostKeyIn(userData: string | null): string | null {
  if (userData?.startsWith('#!')) return /ssh-ed25519 (\S+)' >/.exec(userData)?.[1] ?? null;
  const document = JSON.parse(userData?.replace(/^#cloud-config\n/, '') ?? 'null') as {
    readonly ssh_keys?: { readonly ed25519_public?: string };
  } | null;
  return document?.ssh_keys?.ed25519_public?.split(' ')[1] ?? null;
}

const UNWATCHED = {
  onStarted: () => {},
  onVolumeMissing: () => {},
  onDetaching: () => {},
  onVolumeDeleted: () => {},
};
