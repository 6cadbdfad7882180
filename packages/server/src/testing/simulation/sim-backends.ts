/** Where the machines of a simulation come from: a cloud with all its whims, and the server's host. */
import {
  type Backend,
  BackendError,
  type InstanceOrder,
  localBackend,
  NoCapacityError,
} from '@dstack/backends';
import type { HostFacts } from '@dstack/contract/agent';
import { type Offer, type ProvisioningData, requirementsMatch } from '@dstack/core';
import type { Random } from '@dstack/testkit/random';
import { BackendSilentError } from '../../offers/bounded-backend.ts';
import type { SimClock } from './sim-clock.ts';
import { type HostFaults, SimHost } from './sim-hosts.ts';

const SECOND = 1_000_000;
const GIB = 2 ** 30;

export interface CloudFaults {
  /** Chance that the provider has no machine, fails, or answers too late, for each creation. */
  noCapacity: number;
  error: number;
  lostAnswer: number;
  /** Chance that a machine never comes up, or goes away by itself. */
  neverUp: number;
  /** Chance that a termination fails or takes more than one question. */
  terminateError: number;
}

interface Machine {
  readonly key: string;
  readonly instanceId: string;
  readonly host: SimHost;
  readonly offer: Offer;
  terminationAsked: boolean;
}

export interface WorldParts {
  readonly clock: SimClock;
  readonly random: Random;
  readonly hostFaults: HostFaults;
  readonly cloudFaults: CloudFaults;
}

/** All machines there are, whoever made them. */
export class SimWorld {
  readonly hosts = new Map<string, SimHost>();
  /** What each job has printed, wherever it ran. */
  readonly outputs = new Map<string, string>();
  /** By the key of the order: the same order finds the same machine. */
  readonly machines = new Map<string, Machine>();
  readonly parts: WorldParts;
  /** Machines that the cloud has at most. */
  quota = 6;
  #ids = 0;

  constructor(parts: WorldParts) {
    this.parts = parts;
  }

  host(
    id: string,
    machine: { cpus: number; gpus: number },
    executor: 'docker' | 'process',
  ): SimHost {
    const known = this.hosts.get(id);
    if (known) return known;
    const { clock, random, hostFaults } = this.parts;
    const facts = factsOf(id, machine);
    const { outputs } = this;
    const host = new SimHost(id, { clock, random, faults: hostFaults, facts, executor, outputs });
    this.hosts.set(id, host);
    return host;
  }

  readonly cloud: Backend = {
    name: 'aws',
    signalsCapacity: false,
    offers: async (requirements) => {
      const full = this.machines.size >= this.quota;
      return CLOUD_OFFERS.map(
        (offer): Offer => ({
          ...offer,
          availability: full ? 'no_quota' : 'available',
        }),
      ).filter((offer) => requirementsMatch(requirements, offer));
    },
    compute: {
      createInstance: (offer, order) => this.#create(offer, order),
      terminateInstance: (data) => this.#terminate(data),
    },
  };

  readonly local: Backend = localBackend({
    executor: 'process',
    machine: async () => ({ cpus: 8, memoryMib: 32_768, arch: 'x86', gpus: [] }),
    hostId: 'local',
    hostname: '127.0.0.1',
    freedoms: { trusted: false, mounts: false, users: false },
    matches: requirementsMatch,
  });

  async #create(offer: Offer, order: InstanceOrder) {
    const { clock, random, cloudFaults } = this.parts;
    await clock.delay(random.whole(1, 8_000) * 1000);
    const made = this.machines.get(order.key) ?? this.#make(offer, order);
    // What is not answered may have been done: it is asked for again with the same key.
    if (random.chance(cloudFaults.lostAnswer)) throw new BackendSilentError('aws', 'for one', 1000);
    return {
      hostId: order.instanceId,
      provisioningData: provisioningData(made.offer, made.instanceId),
    };
  }

  #make(offer: Offer, order: InstanceOrder): Machine {
    const { random, cloudFaults, clock } = this.parts;
    if (this.machines.size >= this.quota || random.chance(cloudFaults.noCapacity)) {
      throw new NoCapacityError('no machine of this type is left');
    }
    if (random.chance(cloudFaults.error)) throw new BackendError('the provider has failed');
    const { cpus, gpus } = offer.instance.resources;
    const host = this.host(order.instanceId, { cpus, gpus: gpus.length }, 'docker');
    const instanceId = `i-${++this.#ids}`;
    const machine = { key: order.key, instanceId, host, offer, terminationAsked: false };
    this.machines.set(order.key, machine);
    if (!random.chance(cloudFaults.neverUp)) {
      clock.after(random.whole(1, 60) * SECOND, () => host.setReachable(true));
    }
    return machine;
  }

  async #terminate(data: ProvisioningData): Promise<'terminated' | 'pending'> {
    const { clock, random, cloudFaults } = this.parts;
    await clock.delay(random.whole(1, 3_000) * 1000);
    const machine = [...this.machines.values()].find((one) => one.instanceId === data.instance_id);
    if (!machine) return 'terminated';
    if (random.chance(cloudFaults.terminateError)) throw new BackendError('try again later');
    if (!machine.terminationAsked && random.chance(0.5)) {
      machine.terminationAsked = true;
      return 'pending';
    }
    machine.host.destroy();
    this.hosts.delete(machine.host.id);
    this.machines.delete(machine.key);
    return 'terminated';
  }
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

function cloudOffer(name: string, price: number, cpus: number, gpus: number): Offer {
  const gpu = { vendor: 'nvidia' as const, name: 'H100', memory_mib: 81_920 };
  return {
    backend: 'aws',
    region: 'us-east-1',
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

function provisioningData(offer: Offer, instanceId: string): ProvisioningData {
  return {
    backend: offer.backend,
    base_backend: null,
    instance_type: offer.instance,
    instance_id: instanceId,
    hostname: `${instanceId}.example`,
    internal_ip: '10.0.0.1',
    public_ip_enabled: true,
    instance_network: null,
    region: offer.region,
    availability_zone: null,
    reservation: null,
    price: offer.price,
    username: 'root',
    ssh_port: 22,
    dockerized: true,
    ssh_proxy: null,
    backend_data: null,
    gpu_driver: null,
  };
}
