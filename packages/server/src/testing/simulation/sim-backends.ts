/** The sources of machines of a simulation: a cloud with random faults, and the server's host. */
import { type Backend, localBackend } from '@dstack/backends';
import { memoryTables, type SimFaults, SimProvider, simBackend } from '@dstack/backends/sim';
import type { HostFacts } from '@dstack/contract/agent';
import { type Offer, requirementsMatch } from '@dstack/core';
import type { Random } from '@dstack/testkit/random';
import type { SimClock } from './sim-clock.ts';
import { type HostFaults, SimHost } from './sim-hosts.ts';

const GIB = 2 ** 30;

export interface WorldParts {
  readonly clock: SimClock;
  readonly random: Random;
  readonly hostFaults: HostFaults;
  readonly cloudFaults: SimFaults;
}

/** All existing machines, of all owners. */
export class SimWorld {
  readonly hosts = new Map<string, SimHost>();
  /** The output of each job, wherever it ran. */
  readonly outputs = new Map<string, string>();
  readonly parts: WorldParts;
  /** The account at the cloud. */
  readonly provider: SimProvider;
  readonly cloud: Backend;
  /** Of the same account: the machines of a gang are ordered together. */
  readonly pods: Backend;

  constructor(parts: WorldParts) {
    this.parts = parts;
    const { clock, random, cloudFaults: faults } = parts;
    this.provider = new SimProvider({
      ...{ clock, random, faults: () => faults, tables: memoryTables() },
      agents: {
        start: async ({ id, order, offer }) => {
          const { cpus, gpus } = offer.instance.resources;
          const host = this.host(order.instanceId, { cpus, gpus: gpus.length }, 'docker');
          host.setReachable(true);
          const access = { kind: 'socket', path: id, token: '' } as const;
          return { hostname: `${id}.example`, internalIp: '10.0.0.1', access };
        },
        stop: async ({ order }) => {
          this.hosts.get(order.instanceId)?.destroy();
          this.hosts.delete(order.instanceId);
        },
      },
    });
    const cloud = { provider: this.provider, offers: CLOUD_OFFERS, matches: requirementsMatch };
    this.cloud = simBackend({ ...cloud, as: 'aws' });
    this.pods = simBackend({ ...cloud, as: 'runpod' });
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

  readonly local: Backend = localBackend({
    executor: 'process',
    serverHost: async () => ({ cpus: 8, memoryMib: 32_768, arch: 'x86', gpus: [] }),
    hostId: 'local',
    hostname: '127.0.0.1',
    freedoms: { trusted: false, mounts: false, users: false },
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
