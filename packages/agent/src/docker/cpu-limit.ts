/** The kernel takes no quota of less than a millisecond, in Docker's period of 100. */
const LEAST_CPUS = 0.01;

/** The limit as Docker takes it: a whole number of billionths of a CPU; 0 = none. */
export function nanoCpus(cpus: number): number {
  return cpus === 0 ? 0 : Math.round(Math.max(LEAST_CPUS, cpus) * 1e9);
}
