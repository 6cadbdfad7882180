/** The amounts that a share of a machine uses of quotas. */
import type { Amounts, Offer } from '../model/index.ts';
import { shareOffer } from '../offers/blocks.ts';
import { hourlyShare } from '../pricing/price.ts';
import { gpuResource } from './amounts.ts';

/** `blocks` of a machine that is divided into `totalBlocks`; `offer` describes the whole machine. */
export function chargeOf(offer: Offer, blocks: number, totalBlocks: number): Amounts {
  const share = shareOffer(offer, totalBlocks, blocks);
  const { memory_mib, gpus } = share.instance.resources;
  const { cpus } = offer.instance.resources;
  const amounts: Record<string, number> = {
    // Rounded down as below, so that all shares of a machine use no more than the machine.
    cpu: Math.floor((cpus * 1000 * blocks) / totalBlocks),
    memory: Math.round(memory_mib),
    instances: Math.floor((1_000_000 * blocks) / totalBlocks),
  };
  const cost = hourlyShare(share, blocks, totalBlocks);
  if (cost > 0) amounts.cost = cost;
  if (gpus.length > 0) amounts.gpu = gpus.length;
  for (const { name } of gpus) {
    const resource = gpuResource(name);
    amounts[resource] = (amounts[resource] ?? 0) + 1;
  }
  return amounts;
}
