import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anOffer } from '../testing/records.ts';
import { gpuPricesOf, gpuWeights } from './gpu-prices.ts';
import { hourlyShare, knownPrice } from './price.ts';
import { shareRate } from './share-rate.ts';

const WHOLE = { blocks: 1, totalBlocks: 1 };
const machine = fc
  .record({
    gpus: fc.nat({ max: 8 }),
    gpu: fc.constantFrom('H100', 'h100', 'A100', 'L4'),
    cpus: fc.integer({ min: 1, max: 256 }),
    memoryGb: fc.integer({ min: 1, max: 4096 }),
    price: fc.constantFrom(0, 0.35, 1, 2.5, 40),
  })
  .map(anOffer);

describe('the price of a machine', () => {
  it('is that of its offer, and not known where that is 0', () => {
    expect(knownPrice({ price: 2.5 })).toBe(2_500_000);
    for (const price of [0, -1, Number.NaN, Infinity]) expect(knownPrice({ price })).toBeNull();
    expect(hourlyShare({ price: 8 }, 2, 8)).toBe(2_000_000);
    expect(hourlyShare({ price: 0 }, 2, 8)).toBe(0);
    // All shares cost no more than the machine, which a quota may allow exactly.
    expect(hourlyShare({ price: 1 }, 1, 6)).toBe(166_666);
  });
});

describe('what a claim counts', () => {
  it('is its GPUs by their weight, or the larger part of a machine without GPUs', () => {
    const h100 = anOffer({ gpus: 8, gpu: 'H100', cpus: 192, memoryGb: 2048 });
    const part = { blocks: 2, totalBlocks: 8 };
    expect(shareRate(h100, part, { h100: 2.5 })).toBe(5_000_000);
    expect(shareRate(h100, part, {})).toBe(2_000_000);
    expect(shareRate(anOffer({ cpus: 64, memoryGb: 1024 }), WHOLE, {})).toBe(8_000_000);
    expect(shareRate(anOffer({ cpus: 64, memoryGb: 128 }), WHOLE, {})).toBe(4_000_000);
  });

  it('of all blocks together is that of the machine, and never negative', () => {
    fc.assert(
      fc.property(
        machine,
        fc.integer({ min: 1, max: 64 }),
        fc.nat({ max: 64 }),
        (offer, total, n) => {
          const weights = gpuWeights([offer], { l4: 100_000 });
          const whole = shareRate(offer, { blocks: total, totalBlocks: total }, weights);
          const blocks = Math.min(n, total);
          const part = shareRate(offer, { blocks, totalBlocks: total }, weights);
          const rest = shareRate(offer, { blocks: total - blocks, totalBlocks: total }, weights);
          expect(Math.abs(part + rest - whole)).toBeLessThanOrEqual(1);
          expect(Number.isSafeInteger(part) && part >= 0).toBe(true);
        },
      ),
    );
  });
});

describe('the weight of a GPU', () => {
  it('is its price beside that of the cheapest one, also on machines without a price', () => {
    const pool = gpuPricesOf([
      anOffer({ gpus: 8, gpu: 'H100', price: 20 }),
      anOffer({ gpus: 1, gpu: 'H100', price: 3 }),
      anOffer({ gpus: 4, gpu: 'A100', price: 4 }),
      anOffer({ gpus: 4, gpu: 'L40S', price: 0 }),
      anOffer({ cpus: 4, price: 0.1 }),
    ]);
    expect(pool).toEqual({ h100: 2_500_000, a100: 1_000_000 });
    const unpriced = anOffer({ gpus: 2, gpu: 'H100', price: 0 });
    expect(gpuWeights([unpriced], pool)).toEqual({ h100: 2.5 });
    expect(gpuWeights([anOffer({ gpus: 1, gpu: 'L40S', price: 0 })], pool)).toEqual({ l40s: 1 });
    expect(gpuWeights([unpriced], {})).toEqual({ h100: 1 });
  });

  it('compares the offers that a new machine may become with each other', () => {
    const offers = [
      anOffer({ gpus: 1, gpu: 'A100', price: 1 }),
      anOffer({ gpus: 1, gpu: 'H100', price: 3 }),
    ];
    expect(gpuWeights(offers, {})).toEqual({ a100: 1, h100: 3 });
  });

  it('is at least 1, and a price that is wrong by orders of magnitude counts a thousand at most', () => {
    fc.assert(
      fc.property(fc.array(machine, { minLength: 1, maxLength: 5 }), (offers) => {
        for (const weight of Object.values(gpuWeights(offers, { b200: 1 }))) {
          expect(weight >= 1 && weight <= 1000).toBe(true);
        }
      }),
    );
  });
});
