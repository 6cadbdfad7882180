import { expect, it } from 'vitest';
import { serverHostSize, workersFor } from './worker-count.ts';

const GIB = 1024 ** 3;

it.each([
  { cpus: 1, memory: 2 * GIB, workers: 2 },
  { cpus: 2, memory: 8 * GIB, workers: 2 },
  { cpus: 6, memory: 8 * GIB, workers: 3 },
  { cpus: 64, memory: 256 * GIB, workers: 4 },
  { cpus: 8, memory: GIB / 2, workers: 0 },
])('there are $workers workers with $cpus CPUs and $memory bytes', ({ cpus, memory, workers }) => {
  expect(workersFor({ cpus, memory })).toBe(workers);
});

it('the server host is measured', () => {
  const { cpus, memory } = serverHostSize();
  expect([cpus >= 1, memory > 1e8, Number.isFinite(memory)]).toEqual([true, true, true]);
});
