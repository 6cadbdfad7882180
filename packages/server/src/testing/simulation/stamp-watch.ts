import type { Change, InstanceRecord, JobRecord } from '@dstack/core';
import { Breach } from './breach.ts';
import type { SimClock } from './sim-clock.ts';

/** Between a decision and its commit, and between the clocks of two servers (µs). */
const TOLERANCE = 2_000_000;

/** Until passes that were decided before have ended. */
const SETTLED = 20_000_000;

/** Written in the moment of which they are. */
const STAMPS = ['statusChangedAt', 'stopRequestedAt', 'runningAt', 'finishedAt'] as const;

/** 12: every server writes the same time, whatever the clock of its host shows. */
export class StampWatch {
  readonly #clock: SimClock;
  readonly #now: () => number;
  readonly #steppedAt: () => number;

  /** `now`: the time that servers have to write; it was set last at `steppedAt`. */
  constructor(clock: SimClock, now: () => number, steppedAt: () => number) {
    this.#clock = clock;
    this.#now = now;
    this.#steppedAt = steppedAt;
  }

  applied(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'job.update' || change.type === 'instance.update') {
        this.#check(change.id, change.set);
      }
    }
  }

  #check(id: string, set: Partial<JobRecord> | Partial<InstanceRecord>): void {
    for (const name of STAMPS) {
      const time = (set as Readonly<Record<string, unknown>>)[name];
      if (typeof time !== 'number') continue;
      const off = time - this.#now();
      if (Math.abs(off) <= TOLERANCE) continue;
      // Decided before its server was stopped, or before the clock was set, and written now.
      const disturbedAt = Math.max(this.#clock.lastContinued, this.#steppedAt());
      if (this.#clock.now - disturbedAt <= SETTLED) continue;
      throw new Breach(12, `${name} of ${id} is ${Math.round(off / 1e6)} s from the time`);
    }
  }
}
