/** The price that the owner of machines gives their parts. */
import type { PriceRates } from '@dstack/contract/wire';
import type { Offer } from '../model/index.ts';

type Resources = Pick<Offer['instance']['resources'], 'cpus' | 'memory_mib' | 'gpus'>;

const MIB_PER_GB = 1024;

/**
 * USD per hour of a machine, or a part of one, by these rates; 0 = it is not known, because there are no rates, or none for one of
 * its GPUs: a price that leaves out the GPUs would look cheap.
 */
export function ratedPrice(rates: PriceRates | null | undefined, resources: Resources): number {
  if (rates == null) return 0;
  const ofGpus = gpuPrice(rates, resources);
  if (ofGpus === null) return 0;
  const { cpu, memory } = rates;
  const sum =
    ofGpus + (cpu ?? 0) * resources.cpus + ((memory ?? 0) * resources.memory_mib) / MIB_PER_GB;
  return Math.round(sum * 1_000_000) / 1_000_000;
}

/** Null: the price of one is not known. */
function gpuPrice({ gpu }: PriceRates, { gpus }: Resources): number | null {
  const byName = new Map(
    Object.entries(gpu ?? {}).map(([name, price]) => [name.toLowerCase(), price]),
  );
  let sum = 0;
  for (const { name } of gpus) {
    const price = byName.get(name.toLowerCase());
    if (price === undefined) return null;
    sum += price;
  }
  return sum;
}
