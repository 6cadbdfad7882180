import type { Requirements } from '@dstack/contract/wire';
import {
  capabilitiesOf,
  LOCAL_ADDRESS,
  LOCAL_HOST,
  LOCAL_LOOPBACK,
  LOCAL_MOUNTS,
  LOCAL_PROCESS_INSTANCE,
  LOCAL_SLOTS,
  LOCAL_TRUSTED,
  LOCAL_USERS,
  localHostOf,
  type Offer,
  SERVER_HOST_GPUS,
} from '@dstack/core';
import { BackendError } from '../base/errors.ts';
import type { GatewayPort } from '../base/gateway-port.ts';
import type { InstancePort } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { orderedProvisioningData } from '../base/provisioning-data.ts';
import type { VolumePort } from '../base/volume-port.ts';
import type { ServerHostFacts } from './server-host.ts';

export const LOCAL_REGION = 'local';

/** Permissions of jobs on the machine beyond running there. */
export interface LocalFreedoms {
  /** Features that give jobs control of the machine (`DSTACK_LOCAL_TRUSTED`). */
  readonly trusted: boolean;
  /** Jobs may mount directories of the machine. */
  readonly mounts: boolean;
  /** Registries and git hosts on the loopback of the machine may be used for jobs. */
  readonly loopback: boolean;
  /** Jobs may set the user that they run as. */
  readonly users: boolean;
}

/** The name of the instance type, by which plans say whether a container surrounds a job. */
export function localInstanceName(executor: 'docker' | 'process'): string {
  return executor === 'docker' ? 'local' : LOCAL_PROCESS_INSTANCE;
}

/** Returns the part of an offer's `backend_data` that states these freedoms. */
export function freedomData({
  trusted,
  mounts,
  users,
  loopback,
}: LocalFreedoms): Offer['backend_data'] {
  return {
    [LOCAL_TRUSTED]: trusted,
    [LOCAL_MOUNTS]: mounts,
    [LOCAL_USERS]: users,
    [LOCAL_LOOPBACK]: loopback,
  };
}

export interface LocalOptions {
  readonly executor: 'docker' | 'process';
  /** The present facts about the server's machine. */
  readonly serverHost: () => Promise<ServerHostFacts>;
  /** Key of the machine's host record: servers that share a database have a machine each. */
  readonly hostId: string;
  /** The address at which clients of this server reach the machine, with the jobs' SSH ports. */
  readonly hostname: string;
  readonly freedoms: LocalFreedoms;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
  /** Instances that the machine may have at a time. */
  readonly slots: number;
  /** USD per hour of the whole machine; null, or omitted: what it costs is not known. */
  readonly price?: number | null;
  /** Directories of the machine. */
  readonly volumes: VolumePort | null;
  /** A gateway on the machine. */
  readonly gateways?: GatewayPort;
}

/**
 * The server host: the whole of it, for as many instances as fleets request. An instance here is a
 * slot, not a part of the machine, except for its GPUs: it is offered with each number of them, the
 * most first, and placement ensures that no two jobs have the same one. Creating and ending an
 * instance does nothing, so every call answers at once.
 */
export function localBackend(options: LocalOptions): Backend {
  return {
    name: 'local',
    capabilities: capabilitiesOf('local'),
    signalsCapacity: true,
    offers: async (requirements) => {
      const host = await options.serverHost();
      const counts = [...host.gpus.keys(), host.gpus.length].reverse();
      const offers = counts
        .map((count) => localOffer(host, options, count))
        .filter((offer) => options.matches(requirements, offer));
      return { offers, notes: [] };
    },
    instances: localInstances(options.hostname),
    volumes: options.volumes,
    groups: null,
    ...(options.gateways && { gateways: options.gateways }),
    check: async () => [],
  };
}

/**
 * The machines of the other servers of a database, for a server whose own is no capacity: it offers none, but may carry out
 * orders that name them.
 */
export function localElsewhere(volumes: VolumePort): Backend {
  return {
    name: 'local',
    capabilities: capabilitiesOf('local'),
    signalsCapacity: true,
    offers: async () => ({ offers: [], notes: [] }),
    instances: localInstances('127.0.0.1'),
    volumes,
    groups: null,
    check: async () => [],
  };
}

/** `hostname`: the address of a machine whose offer names none, as those of older servers. */
function localInstances(hostname: string): InstancePort {
  return {
    create: async ({ offer, instanceId }) => {
      if (offer === null) throw new BackendError('the server host is offered with a choice');
      const address = offer.backend_data[LOCAL_ADDRESS];
      return {
        handle: { id: instanceId, data: null },
        // The machine for which the offer was chosen: of several servers, any one may carry out the order.
        hostId: localHostOf({ offer }),
        // With `dockerized: false` clients connect directly to the job's own SSH server, without
        // a hop through the machine's sshd. Its port is known once the job starts.
        provisioningData: orderedProvisioningData(offer, instanceId, {
          hostname: typeof address === 'string' ? address : hostname,
          dockerized: false,
        }),
      };
    },
    observe: async () => ({ state: 'ready', machine: null, access: null }),
    // There are no changes that `observe` would report.
    watch: () => () => {},
    release: async () => 'released',
    // Nothing can be left over here.
    list: async () => [],
  };
}

/** The disk stays unknown (0): its free space changes with every job and image. */
function localOffer(
  host: ServerHostFacts,
  { executor, freedoms, hostId, hostname, slots, price = null }: LocalOptions,
  gpuCount: number,
): Offer {
  return {
    backend: 'local',
    instance: {
      name: localInstanceName(executor),
      resources: {
        cpus: host.cpus,
        memory_mib: host.memoryMib,
        gpus: host.gpus.slice(0, gpuCount).map((gpu) => ({ ...gpu })),
        spot: false,
        disk: { size_mib: 0 },
        cpu_arch: host.arch,
        description: '',
      },
    },
    region: LOCAL_REGION,
    price: price === null ? 0 : priceOf(price, slots, host.gpus.length, gpuCount),
    backend_data: {
      [SERVER_HOST_GPUS]: host.gpus.length,
      [LOCAL_HOST]: hostId,
      [LOCAL_ADDRESS]: hostname,
      [LOCAL_SLOTS]: slots,
      ...freedomData(freedoms),
    },
    availability: 'available',
    availability_zones: null,
    instance_runtime: 'shim',
    blocks: 1,
    total_blocks: 1,
  };
}

/**
 * Its part of the machine: that of its GPUs, or one slot where there are none. An instance without GPUs on a machine with some
 * leaves them to others, and what it costs is not known.
 */
function priceOf(whole: number, slots: number, ofMachine: number, gpus: number): number {
  return ofMachine === 0 ? whole / Math.max(1, slots) : (whole * gpus) / ofMachine;
}
