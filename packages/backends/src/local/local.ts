import type { Requirements } from '@dstack/contract/wire';
import type { Offer, ProvisioningData } from '@dstack/core';
import type { Backend } from '../base/backend.ts';
import type { MachineFacts } from './machine.ts';

export const LOCAL_REGION = 'local';

export interface LocalOptions {
  readonly executor: 'docker' | 'process';
  readonly machine: MachineFacts;
  /** Key of this machine's host record: servers that share a database have a machine each. */
  readonly hostId: string;
  /** Address at which clients of this server reach the machine: the jobs' SSH ports are there. */
  readonly hostname: string;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
}

/**
 * The machine the server runs on. One offer, the whole machine, for as many instances as fleets ask
 * for: an instance here is a slot, not a part of the machine. Making one costs nothing and ends
 * nothing, so both calls are plain answers.
 */
export function localBackend(options: LocalOptions): Backend {
  const offer = localOffer(options.machine, options.executor);
  return {
    name: 'local',
    offers: async (requirements) => (options.matches(requirements, offer) ? [offer] : []),
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
function localOffer(machine: MachineFacts, executor: 'docker' | 'process'): Offer {
  return {
    backend: 'local',
    instance: {
      name: executor === 'docker' ? 'local' : 'local-process',
      resources: {
        cpus: machine.cpus,
        memory_mib: machine.memoryMib,
        gpus: machine.gpus.map((gpu) => ({ ...gpu })),
        spot: false,
        disk: { size_mib: 0 },
        cpu_arch: machine.arch,
        description: '',
      },
    },
    region: LOCAL_REGION,
    price: 0,
    backend_data: {},
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
