import { isServerHost } from '../capabilities/capabilities.ts';
import type { LocalUse, Offer } from '../model/index.ts';
import { shareOffer } from './blocks.ts';

/**
 * The server host is offered with all of its GPUs, with fewer, and with none, and may hold several
 * instances at once. A GPU belongs to one of them at a time, while that one has a job.
 */
export const SERVER_HOST_GPUS = 'machine_gpus';

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
