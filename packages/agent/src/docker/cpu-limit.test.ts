import { expect, it } from 'vitest';
import { nanoCpus } from './cpu-limit.ts';

it.each([
  [2, 2_000_000_000],
  [1 / 3, 333_333_333],
  [0.01, 10_000_000],
  // One of 1 000 blocks of two CPUs: the kernel refuses so small a limit, and the job would not start.
  [0.002, 10_000_000],
  // Servers of earlier versions sent 0 for a part of a CPU. Docker sets no limit then.
  [0, 0],
])('a limit of %s CPUs is %i for Docker', (cpus, limit) => {
  expect(nanoCpus(cpus)).toBe(limit);
});
