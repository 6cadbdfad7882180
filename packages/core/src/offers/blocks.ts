import type { Requirements } from '@dstack/contract/wire';
import { isServerHost } from '../capabilities/capabilities.ts';
import type { Offer } from '../model/index.ts';
import { requirementsMatch } from './match.ts';

/**
 * `blocks` of `totalBlocks` equal parts of a machine: CPUs, memory and GPUs are divided, disk and
 * price are not (all jobs of a machine share its disk, and its price does not depend on them). Offers have whole CPUs:
 * `cpusOfShare` is exact where the server host does not divide evenly.
 */
export function shareOffer(offer: Offer, totalBlocks: number, blocks: number): Offer {
  // Most machines are whole, and a plan examines every one, so nothing is copied for them.
  if (blocks === totalBlocks) {
    const same = offer.blocks === blocks && offer.total_blocks === totalBlocks;
    return same ? offer : { ...offer, blocks, total_blocks: totalBlocks };
  }
  const whole = offer.instance.resources;
  const resources = {
    ...whole,
    cpus: partOf(whole.cpus, blocks, totalBlocks),
    memory_mib: partOf(whole.memory_mib, blocks, totalBlocks),
    gpus: whole.gpus.slice(0, partOf(whole.gpus.length, blocks, totalBlocks)),
  };
  const instance = { ...offer.instance, resources };
  return { ...offer, blocks, total_blocks: totalBlocks, instance };
}

/** The CPUs of a share, which may be a part of one; `offer` describes the whole machine. */
export function cpusOfShare(offer: Offer, totalBlocks: number, blocks: number): number {
  return (offer.instance.resources.cpus * blocks) / totalBlocks;
}

function partOf(amount: number, blocks: number, totalBlocks: number): number {
  return Math.floor((amount * blocks) / totalBlocks);
}

/**
 * The smallest share that satisfies the requirements, or null. A job that spans machines takes each
 * of them whole. `cpu.arch`, price and similar properties of the machine hold for shares too.
 */
export function smallestShare(
  requirements: Requirements,
  offer: Offer,
  totalBlocks: number,
): Offer | null {
  const first = requirements.multinode ? totalBlocks : 1;
  for (let blocks = first; blocks <= totalBlocks; blocks++) {
    const share = shareOffer(offer, totalBlocks, blocks);
    if (requirementsMatch(requirements, share)) return share;
  }
  return null;
}

/**
 * The number of parts into which a fleet's `blocks` divide a machine, or null if it does not divide
 * evenly. `auto`: one part per GPU or CPU, whichever are fewer; a TPU counts as one GPU.
 */
export function totalBlocksOf(offer: Offer, blocks: number | 'auto'): number | null {
  const { cpus, gpus } = offer.instance.resources;
  const gpuCount = gpus[0]?.vendor === 'google' ? 1 : gpus.length;
  const total = blocks === 'auto' ? (gpuCount > 0 ? Math.min(cpus, gpuCount) : cpus) : blocks;
  if (total < 1) return null;
  if (total === 1) return 1;
  // The server host consists of slots, not of parts, so a remainder is allowed.
  if (isServerHost(offer.backend) && gpuCount === 0) return total;
  return cpus % total === 0 && gpuCount % total === 0 ? total : null;
}
