/** The amount that a claim counts for the shares of its project and user. */
import type { GpuWeights, Offer } from '../model/index.ts';
import { gpuNames } from './gpu-prices.ts';

/** Millionths of a GPU. */
const MICRO = 1_000_000;

/** A machine without GPUs counts as many as these parts of it. */
const CPUS = 16;
const MEMORY_MIB = 128 * 1024;

/**
 * Millionths of a GPU for `blocks` of a machine that is divided into `totalBlocks`: what is taken away from others,
 * whatever of it the job uses. `offer` describes the whole machine.
 */
export function shareRate(
  offer: Offer,
  { blocks, totalBlocks }: { readonly blocks: number; readonly totalBlocks: number },
  weights: GpuWeights,
): number {
  if (blocks <= 0 || totalBlocks <= 0) return 0;
  return Math.round(
    (worthOf(offer, weights) * MICRO * Math.min(blocks, totalBlocks)) / totalBlocks,
  );
}

/** The same for a whole machine without GPUs. */
export function rateWithoutGpus(cpus: number, memoryMib: number): number {
  return Math.round(partOf(cpus, memoryMib) * MICRO);
}

/** GPUs by what they count. */
function worthOf(offer: Offer, weights: GpuWeights): number {
  const names = gpuNames(offer);
  if (names.length > 0) return names.reduce((sum, name) => sum + (weights[name] ?? 1), 0);
  const { cpus, memory_mib } = offer.instance.resources;
  return partOf(cpus, memory_mib);
}

const partOf = (cpus: number, memoryMib: number): number =>
  Math.max(0, cpus / CPUS, memoryMib / MEMORY_MIB);
