/** The sources of machines of a simulation: a cloud with random faults, and the server's host. */
import { type Backend, localBackend, type VolumePort } from '@dstack/backends';
import {
  memoryTables,
  type SimFaults,
  type SimMachine,
  SimProvider,
  simBackend,
} from '@dstack/backends/sim';
import type { HostFacts, JobState } from '@dstack/contract/agent';
import { type Offer, requirementsMatch } from '@dstack/core';
import type { Random } from '@dstack/testkit/random';
import type { DatabaseFaults } from './port-store.ts';
import type { SimClock } from './sim-clock.ts';
import { SimDisk } from './sim-host-volumes.ts';
import { type HostWatch, SimHost } from './sim-hosts.ts';
import type { HostFaults } from './sim-jobs.ts';

const GIB = 2 ** 30;

export interface WorldParts {
  readonly clock: SimClock;
  readonly random: Random;
  readonly hostFaults: HostFaults;
  readonly cloudFaults: SimFaults;
  readonly databaseFaults: DatabaseFaults;
  readonly watch: HostWatch;
}

/** Path of the file system that the hosts of the cluster share. */
export const SHARED_PATH = '/mnt/nfs';

/** Volumes that users have created with the provider's own tools. */
export const VOLUMES_OF_USERS = ['of-user-1', 'of-user-2', 'of-user-3'];

export const REGION = 'us-east-1';

/** Jobs on the server's machine may mount volumes, and no other directory of it. */
export const LOCAL_FREEDOMS = { trusted: false, mounts: true, users: false, loopback: false };

/** All existing machines, of all owners. */
export class SimWorld {
  readonly hosts = new Map<string, SimHost>();
  /** Machines that have ended, by their instances: a server that does not know it yet opens links to them. */
  readonly #ended = new Map<string, SimHost>();
  /** The output of each job, wherever it ran. */
  readonly outputs = new Map<string, string>();
  readonly parts: WorldParts;
  /** Called when a server begins to install an agent over SSH, or to wait for one that connects to it. */
  onInstalling: (instanceId: string) => void = () => {};
  /** The file system that the hosts of the cluster share. */
  readonly share = new SimDisk();
  readonly #disks = [this.share];
  /** Volumes that were deleted with the provider's own tools. */
  readonly deletedByUsers = new Set<string>();
  /** Ids of attachments that a server has requested to end by force. */
  readonly #forced = new Set<string>();
  /** The account at the cloud. */
  readonly provider: SimProvider;
  readonly cloud: Backend;
  /** A backend of the same account that orders the machines of a gang together. */
  readonly pods: Backend;

  constructor(parts: WorldParts) {
    this.parts = parts;
    const { clock, random, cloudFaults: faults } = parts;
    this.provider = new SimProvider({
      ...{ clock: clock.outside, random, faults: () => faults, tables: memoryTables() },
      agents: {
        start: async (machine) => {
          this.#ended.delete(machine.order.instanceId);
          this.#hostOf(machine).setReachable(true);
          const access = { kind: 'socket', path: machine.id, token: '' } as const;
          return { hostname: `${machine.id}.example`, internalIp: '10.0.0.1', access };
        },
        stop: async (machine) => {
          const host = this.#hostOf(machine);
          host.destroy();
          this.hosts.delete(host.id);
          this.#ended.set(host.id, host);
        },
      },
    });
    for (const id of VOLUMES_OF_USERS) {
      this.provider.volumes.addOfUser({ id, region: REGION, sizeGib: 50 });
    }
    const cloud = { provider: this.provider, offers: CLOUD_OFFERS, matches: requirementsMatch };
    this.cloud = { ...simBackend({ ...cloud, as: 'aws' }), volumes: this.#volumes() };
    this.pods = simBackend({ ...cloud, as: 'runpod' });
    this.#watchDetachments();
  }

  #hostOf({ order, offer }: Pick<SimMachine, 'order' | 'offer'>): SimHost {
    const { cpus, gpus } = offer.instance.resources;
    return this.host(order.instanceId, { cpus, gpus: gpus.length }, 'docker');
  }

  host(
    id: string,
    machine: { cpus: number; gpus: number },
    executor: 'docker' | 'process',
  ): SimHost {
    const known = this.hosts.get(id) ?? this.#ended.get(id);
    if (known) return known;
    const { clock, random, watch, hostFaults: faults } = this.parts;
    const facts = factsOf(id, machine);
    const { outputs } = this;
    const hasDevice = (path: string) => this.#isAttached(path, id);
    const parts = { clock, random, faults, watch, facts, executor, outputs, hasDevice };
    const host = new SimHost(id, parts);
    this.hosts.set(id, host);
    this.#disks.push(host.volumes.own);
    return host;
  }

  /**
   * The disks of all hosts, including former ones: an agent that leaves a host leaves data on its disk.
   */
  get disks(): readonly SimDisk[] {
    return this.#disks;
  }

  #isAttached(device: string, instanceId: string): boolean {
    const { now } = this.parts.clock;
    const { attachments, detachments, machines } = this.provider.tables;
    return attachments.all().some(({ id, volume, machine, readyAt }) => {
      const isHere = machines.get(machine)?.order.instanceId === instanceId;
      const endsAt = detachments.get(id)?.endsAt ?? Infinity;
      return isHere && deviceOf(volume) === device && readyAt <= now && now < endsAt;
    });
  }

  /** Reports each detachment when it begins. */
  #watchDetachments(): void {
    const { attachments, detachments, machines } = this.provider.tables;
    const report = (id: string) => {
      const [volume = '', machine = ''] = id.split(' ');
      const host = this.hosts.get(machines.get(machine)?.order.instanceId ?? '');
      if (host) this.parts.watch.onDetaching(host, deviceOf(volume), this.#forced.has(id));
    };
    attachments.watch((id) => {
      if (!attachments.get(id)) report(id);
      this.#forced.delete(id);
    });
    detachments.watch((id) => {
      if (detachments.get(id)) report(id);
    });
  }

  /** The volumes of the account; notes which are detached by force. */
  #volumes(): VolumePort {
    const { volumes } = this.provider;
    return {
      create: (order) => volumes.create(order),
      register: (id, where) => volumes.register(id, where),
      observe: (handle) => volumes.observe(handle),
      delete: (handle) => volumes.delete(handle),
      attach: (handle, to) => volumes.attach(handle, to),
      detach: async (handle, from, options) => {
        if (options.force) this.#forced.add(`${handle.id} ${from.id}`);
        return await volumes.detach(handle, from, options);
      },
      list: (owner) => volumes.list(owner),
    };
  }

  /** A state of a job that is on another host than this one; null: there is none. */
  foreignJob(own: SimHost): JobState | null {
    const others = [...this.hosts.values()].filter((host) => host !== own);
    return this.parts.random.pick(others.flatMap(({ jobs }) => jobs.states)) ?? null;
  }

  /**
   * An SSH host: `gpu1` has a GPU, `c1` to `c3` share a file system. `_hostKey`: the one that a machine was
   * given. Throws if it does not answer.
   */
  sshHost(id: string, hostname: string, _hostKey: string | null): SimHost {
    const machine = { cpus: 8, gpus: hostname.startsWith('gpu') ? 1 : 0 };
    const host = this.host(id, machine, 'docker');
    host.facts = factsOf(id, machine);
    if (hostname.startsWith('c')) host.volumes.share(SHARED_PATH, this.share);
    return host;
  }

  /** A host whose agent connects to the server, and has this token. Throws if it has not connected. */
  dialledHost(_id: string, _token: string): void {}

  readonly local: Backend = localBackend({
    executor: 'process',
    serverHost: async () => ({ cpus: 8, memoryMib: 32_768, arch: 'x86', gpus: [] }),
    hostId: 'local',
    slots: 3,
    hostname: '127.0.0.1',
    freedoms: LOCAL_FREEDOMS,
    matches: requirementsMatch,
    volumes: null,
  });
}

export function factsOf(id: string, machine: { cpus: number; gpus: number }): HostFacts {
  const gpu = (n: number) => ({
    vendor: 'nvidia' as const,
    name: 'H100',
    memory_mib: 81_920,
    id: `${id}-${n}`,
  });
  return {
    hostname: id,
    arch: 'x86',
    cpus: machine.cpus,
    memory_bytes: 64 * GIB,
    disk_bytes: 500 * GIB,
    addresses: ['10.0.0.1/24'],
    gpus: Array.from({ length: machine.gpus }, (_, n) => gpu(n)),
    gpu_driver: null,
    ssh_host_key: null,
  };
}

const deviceOf = (volume: string): string => `/dev/disk/by-id/${volume}`;

function cloudOffer(name: string, price: number, cpus: number, gpus: number): Offer {
  const gpu = { vendor: 'nvidia' as const, name: 'H100', memory_mib: 81_920 };
  return {
    backend: 'aws',
    region: REGION,
    price,
    instance: {
      name,
      resources: {
        cpus,
        memory_mib: 65_536,
        gpus: Array.from({ length: gpus }, () => gpu),
        spot: false,
        disk: { size_mib: 512_000 },
        cpu_arch: 'x86',
        description: '',
      },
    },
    backend_data: {},
    availability: 'available',
    availability_zones: null,
    instance_runtime: 'shim',
    blocks: 1,
    total_blocks: 1,
  };
}

const CLOUD_OFFERS = [cloudOffer('small', 1, 8, 0), cloudOffer('large', 4, 16, 2)];
