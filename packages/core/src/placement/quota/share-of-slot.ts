/** The amount that the claim of a slot counts for the shares of its project and user. */
import type { Offer, ShareCharge } from '../../model/index.ts';
import { gpuWeights } from '../../pricing/gpu-prices.ts';
import { rateWithoutGpus, shareRate } from '../../pricing/share-rate.ts';
import type { ShareLedger } from '../../shares/share-ledger.ts';
import type { GangRequest } from '../gang-request.ts';
import type { Slot } from '../place/fleet-option.ts';
import { triedOffers } from '../place/new-capacity.ts';

/** For a new instance, the most that any offer counts that may be tried; corrected once one of them is chosen. */
export function shareOfSlot({ gpuPrices }: ShareLedger, slot: Slot): ShareCharge {
  if (slot.kind === 'existing') {
    const { instance, blocks } = slot;
    const offer = instance.offer ?? slot.offer;
    const weights = gpuWeights([offer], gpuPrices);
    const totalBlocks = instance.totalBlocks ?? blocks;
    return { rate: shareRate(offer, { blocks, totalBlocks }, weights), weights };
  }
  const tried = triedOffers(slot.offers);
  const weights = gpuWeights(tried, gpuPrices);
  const rates = tried.map((offer) => shareRate(offer, blocksOf(offer), weights));
  return { rate: Math.max(0, ...rates), weights };
}

/** The least that the gang will count, wherever it gets a place: an estimate, for its turn. */
export function leastRate({ gpuPrices }: ShareLedger, { nodes }: GangRequest): number {
  const cheapest = Math.min(...Object.values(gpuPrices));
  return nodes.reduce((sum, { requirements: { resources } }) => {
    const gpus = resources.gpu?.count.min ?? 0;
    const [name = ''] = resources.gpu?.name ?? [];
    const weight = (gpuPrices[name.toLowerCase()] ?? cheapest) / cheapest;
    if (gpus > 0) return sum + Math.round(gpus * (weight || 1) * 1_000_000);
    const memoryMib = (resources.memory.min ?? 0) * 1024;
    return sum + rateWithoutGpus(resources.cpu.count.min ?? 0, memoryMib);
  }, 0);
}

const blocksOf = ({ blocks, total_blocks }: Pick<Offer, 'blocks' | 'total_blocks'>) => ({
  blocks: blocks ?? 1,
  totalBlocks: total_blocks ?? 1,
});
