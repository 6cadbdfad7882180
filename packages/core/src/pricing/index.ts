export {
  amountsWithin,
  type DayPart,
  dayParts,
  minusAmounts,
  NO_AMOUNTS,
  plusAmounts,
} from './amounts-of.ts';
export { type GpuPrices, gpuPricesOf, gpuWeights } from './gpu-prices.ts';
export {
  instanceInterval,
  jobInterval,
  type PayingRun,
  type PricedInstance,
  type PricedJob,
} from './intervals.ts';
export { ratedPrice } from './rates.ts';
export { shareRate } from './share-rate.ts';
