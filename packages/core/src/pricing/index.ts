export { type GpuPrices, gpuPricesOf, gpuWeights } from './gpu-prices.ts';
export { shareRate } from './share-rate.ts';
