/** The prices of the GPUs of a pool, relative to each other. */
import type { GpuWeights, Offer } from '../model/index.ts';
import { knownPrice } from './price.ts';

/** Micro-dollars per hour for one GPU, by its name in small letters: the lowest that is known. */
export type GpuPrices = Readonly<Record<string, number>>;

/** A price that is wrong by orders of magnitude must not decide the order of a queue for weeks. */
const MOST_WEIGHT = 1000;

/** Machines with GPUs of several names, and those without a known price, say nothing about a GPU. */
export function gpuPricesOf(offers: Iterable<Offer>, known: GpuPrices = {}): GpuPrices {
  const prices = new Map<string, number>(Object.entries(known));
  for (const offer of offers) {
    const names = gpuNames(offer);
    const [name] = names;
    const price = knownPrice(offer);
    if (name === undefined || price === null || new Set(names).size > 1) continue;
    const each = price / names.length;
    prices.set(name, Math.min(prices.get(name) ?? each, each));
  }
  return Object.fromEntries(prices);
}

/**
 * The weights of the GPUs of these machines: the price of each over that of the cheapest GPU known, 1 where its price is
 * not. `prices`: of the pool; those of the machines are added.
 */
export function gpuWeights(offers: readonly Offer[], prices: GpuPrices): GpuWeights {
  const known = gpuPricesOf(offers, prices);
  const cheapest = Math.min(...Object.values(known));
  const names = new Set(offers.flatMap(gpuNames));
  const weights = [...names].map((name): [string, number] => {
    const price = known[name];
    return [name, price === undefined ? 1 : weightOf(price / cheapest)];
  });
  return Object.fromEntries(weights);
}

/** Six decimals are stored. */
const weightOf = (ratio: number): number =>
  Math.round(Math.min(ratio, MOST_WEIGHT) * 1_000_000) / 1_000_000;

export function gpuNames({ instance }: Pick<Offer, 'instance'>): string[] {
  return instance.resources.gpus.map(({ name }) => name.toLowerCase());
}
