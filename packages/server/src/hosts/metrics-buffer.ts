import type { JobMetrics } from '@dstack/contract/agent';
import type { Id } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';

/** Points that wait for the next write: ten for each job of a large server. */
const MAX_POINTS = 100_000;
const FLUSH_MS = 1000;

/** Collects the metrics of all jobs, so that the points of one second are one write. */
export class MetricsBuffer {
  readonly #metrics: Pick<Store['metrics'], 'addJobPoints'>;
  readonly #log: Logger;
  readonly #points: { jobId: Id; metrics: JobMetrics }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(metrics: Pick<Store['metrics'], 'addJobPoints'>, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
  }

  add(jobId: Id, metrics: JobMetrics): void {
    if (this.#points.length < MAX_POINTS) this.#points.push({ jobId, metrics });
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const points = this.#points.splice(0);
    if (points.length === 0) return;
    try {
      await this.#metrics.addJobPoints(points);
    } catch (error) {
      this.#log.warn({ err: error }, 'metrics not stored');
    }
  }
}
