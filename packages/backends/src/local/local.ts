import type { Requirements } from '@dstack/contract/wire';
import {
  LOCAL_MOUNTS,
  LOCAL_TRUSTED,
  LOCAL_USERS,
  MACHINE_GPUS,
  type Offer,
  type ProvisioningData,
} from '@dstack/core';
import type { Backend } from '../base/backend.ts';
import type { MachineFacts } from './machine.ts';

export const LOCAL_REGION = 'local';

/** What jobs may do on the machine beyond running there. */
export interface LocalFreedoms {
  /** What gives them the machine (`DSTACK_LOCAL_TRUSTED`). */
  readonly trusted: boolean;
  /** Directories of the machine can be mounted into them. */
  readonly mounts: boolean;
  /** They may name the user they run as. */
  readonly users: boolean;
}

/** As part of an offer's `backend_data`. */
export function freedomData({ trusted, mounts, users }: LocalFreedoms): Offer['backend_data'] {
  return { [LOCAL_TRUSTED]: trusted, [LOCAL_MOUNTS]: mounts, [LOCAL_USERS]: users };
}

export interface LocalOptions {
  readonly executor: 'docker' | 'process';
  /** What is known of the machine by now. */
  readonly machine: () => Promise<MachineFacts>;
  /** Key of this machine's host record: servers that share a database have a machine each. */
  readonly hostId: string;
  /** Address at which clients of this server reach the machine: the jobs' SSH ports are there. */
  readonly hostname: string;
  readonly freedoms: LocalFreedoms;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
}

/**
 * The machine the server runs on: the whole of it, for as many instances as fleets ask for. An
 * instance here is a slot, not a part of the machine, but for its GPUs: it is offered with each
 * number of them, the most first, and placement sees to it that no two jobs have the same one.
 * Making an instance costs nothing and ends nothing, so both calls are plain answers.
 */
export function localBackend(options: LocalOptions): Backend {
  return {
    name: 'local',
    signalsCapacity: true,
    offers: async (requirements) => {
      const machine = await options.machine();
      const counts = [...machine.gpus.keys(), machine.gpus.length].reverse();
      return counts
        .map((count) => localOffer(machine, options, count))
        .filter((offer) => options.matches(requirements, offer));
    },
    compute: {
      createInstance: async (chosen, order) => ({
        provisioningData: provisioningData(chosen, order.instanceId, options.hostname),
        hostId: options.hostId,
      }),
      terminateInstance: async () => 'terminated',
    },
  };
}

/** Disk is left unknown (0): what is free changes with every job and image. */
function localOffer(
  machine: MachineFacts,
  { executor, freedoms }: LocalOptions,
  gpuCount: number,
): Offer {
  return {
    backend: 'local',
    instance: {
      name: executor === 'docker' ? 'local' : 'local-process',
      resources: {
        cpus: machine.cpus,
        memory_mib: machine.memoryMib,
        gpus: machine.gpus.slice(0, gpuCount).map((gpu) => ({ ...gpu })),
        spot: false,
        disk: { size_mib: 0 },
        cpu_arch: machine.arch,
        description: '',
      },
    },
    region: LOCAL_REGION,
    price: 0,
    backend_data: { [MACHINE_GPUS]: machine.gpus.length, ...freedomData(freedoms) },
    availability: 'available',
    availability_zones: null,
    instance_runtime: 'shim',
    blocks: 1,
    total_blocks: 1,
  };
}

/**
 * `dockerized: false` tells clients that the job's own SSH server is the target, without a hop
 * through the machine's sshd. Its port is known once the job starts.
 */
function provisioningData(offer: Offer, instanceId: string, hostname: string): ProvisioningData {
  return {
    backend: 'local',
    base_backend: null,
    instance_type: offer.instance,
    instance_id: instanceId,
    hostname,
    internal_ip: null,
    public_ip_enabled: true,
    instance_network: null,
    region: LOCAL_REGION,
    availability_zone: null,
    reservation: null,
    price: 0,
    username: 'root',
    ssh_port: null,
    dockerized: false,
    ssh_proxy: null,
    backend_data: null,
    gpu_driver: null,
  };
}
