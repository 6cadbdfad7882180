import { expect, it } from 'vitest';
import { anOffer } from '../testing/records.ts';
import { ratedPrice } from './rates.ts';

const machine = (part: Parameters<typeof anOffer>[0]) => anOffer(part).instance.resources;
const RATES = { gpu: { H100: 2.5, a100: 1 }, cpu: 0.02, memory: 0.001 };

it('the price of a machine is that of its GPUs, CPUs and memory', () => {
  expect(ratedPrice(RATES, machine({ gpus: 8, gpu: 'h100', cpus: 100, memoryGb: 1000 }))).toBe(23);
  expect(ratedPrice(RATES, machine({ gpus: 2, gpu: 'A100', cpus: 0, memoryGb: 0 }))).toBe(2);
  expect(ratedPrice(RATES, machine({ cpus: 4, memoryGb: 8 }))).toBe(0.088);
});

it('the price of a machine is not known without rates, or without the rate of its GPU', () => {
  expect(ratedPrice(null, machine({ cpus: 4 }))).toBe(0);
  expect(ratedPrice(RATES, machine({ gpus: 1, gpu: 'L4', cpus: 4 }))).toBe(0);
  expect(ratedPrice({ gpu: null, cpu: 0.1, memory: null }, machine({ gpus: 1 }))).toBe(0);
  expect(ratedPrice({ gpu: null, cpu: 0.5, memory: null }, machine({ cpus: 4 }))).toBe(2);
});
