import type { Id } from '@dstack/core';

const FORGET_MS = 60 * 60_000;

/** Jobs that are being stopped, as far as one replica of a gateway may still send them requests. */
export class DrainingJobs {
  /** Until the gateway reports that they have no requests. */
  readonly #draining = new Map<Id, () => void>();
  readonly #drained = new Set<Id>();

  /** The gateway is to report when the job has no requests. */
  begin(jobId: Id, whenIdle: () => void): void {
    this.#draining.set(jobId, whenIdle);
  }

  isDraining(jobId: Id): boolean {
    return this.#draining.has(jobId);
  }

  /** The gateway has reported that the job has no requests. */
  isDrained(jobId: Id): boolean {
    return this.#drained.has(jobId);
  }

  drained(jobId: Id): void {
    const whenIdle = this.#draining.get(jobId);
    this.#draining.delete(jobId);
    this.#drained.add(jobId);
    // By then no service contains the job any more.
    setTimeout(() => this.#drained.delete(jobId), FORGET_MS).unref();
    whenIdle?.();
  }

  /** Wakes the effects that wait for jobs to drain: they send `leave` again over the new link. */
  reconnected(): void {
    for (const whenIdle of this.#draining.values()) whenIdle();
    this.#draining.clear();
  }
}
