import { availableParallelism, totalmem } from 'node:os';

export interface HostSize {
  readonly cpus: number;
  /** Bytes that this process may use. */
  readonly memory: number;
}

/** A worker takes about 100 MB. */
const LEAST_MEMORY = 1024 ** 3;

/** Two, so that one listens while the other is started again; more where there are CPUs for them. */
const FEWEST = 2;
const MOST = 4;

/** The default number of workers. */
export function workersFor({ cpus, memory }: HostSize): number {
  if (memory < LEAST_MEMORY) return 0;
  return Math.min(MOST, Math.max(FEWEST, Math.floor(cpus / 2)));
}

/** Within the limits of a container. */
export function serverHostSize(): HostSize {
  const memory = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return { cpus: availableParallelism(), memory: Math.min(memory, totalmem()) };
}
