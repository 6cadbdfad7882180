import type { HostFacts } from '@dstack/contract/agent';
import type { Requirements } from '@dstack/contract/wire';
import { isServerHost } from '../capabilities/capabilities.ts';
import type { LocalUse, Offer } from '../model/index.ts';
import { shareOffer } from './blocks.ts';
import { requirementsMatch } from './match.ts';

/**
 * The server host is offered with all of its GPUs, with fewer, and with none, and may hold several
 * instances at once. A GPU belongs to one of them at a time, while that one has a job.
 */
export const SERVER_HOST_GPUS = 'machine_gpus';

/** Whether a server's machine meets the requirements, with all of its GPUs, fewer or none. */
export function serverHostMeets(requirements: Requirements, facts: HostFacts): boolean {
  const { cpus, memory_bytes: bytes, arch, gpus } = facts;
  const resources = {
    ...{ cpus, memory_mib: Math.floor(bytes / 2 ** 20), cpu_arch: arch },
    ...{ spot: false, disk: { size_mib: 0 }, description: '' },
  };
  const offer = (count: number): Offer => ({
    ...{ backend: 'local', region: 'local', price: 0, backend_data: {} },
    ...{ availability: 'available', availability_zones: null, instance_runtime: 'shim' },
    ...{ blocks: 1, total_blocks: 1 },
    instance: { name: 'local', resources: { ...resources, gpus: gpus.slice(0, count) } },
  });
  return [...gpus.keys(), gpus.length].some((count) =>
    requirementsMatch(requirements, offer(count)),
  );
}

/** The number of GPUs of the machine behind a `local` offer. */
export function serverHostGpus(offer: Offer): number {
  const count = offer.backend_data[SERVER_HOST_GPUS];
  return typeof count === 'number' ? count : offer.instance.resources.gpus.length;
}

/** GPUs of the server host that jobs hold through an instance, or will hold soon. */
export function heldLocalGpus({ backend, offer, totalBlocks, busyBlocks }: LocalUse): number {
  if (!isServerHost(backend) || !offer || busyBlocks === 0) return 0;
  return shareOffer(offer, totalBlocks ?? 1, busyBlocks).instance.resources.gpus.length;
}
