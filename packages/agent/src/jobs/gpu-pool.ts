import type { HostGpu } from '@dstack/contract/agent';
import { JobFailure } from '../executor/job-failure.ts';

/** The GPUs of the host. Each belongs to at most one job at a time. */
export class GpuPool {
  readonly #all: readonly HostGpu[];

  constructor(all: readonly HostGpu[]) {
    this.#all = all;
  }

  /**
   * GPUs that are not in `taken`: all of them for null, else those with the lowest numbers, which
   * are neighbours on most boards. Throws `JobFailure` if too few are free.
   */
  take(count: number | null, taken: readonly HostGpu[]): readonly HostGpu[] {
    const ids = new Set(taken.map((gpu) => gpu.id));
    const free = this.#all.filter((gpu) => !ids.has(gpu.id));
    if (count === null) return free;
    if (free.length < count) {
      const message = `The job needs ${count} GPUs, but only ${free.length} of ${this.#all.length} are free`;
      throw new JobFailure('executor_error', message);
    }
    return free.slice(0, count);
  }
}
