import type { Change, DependencyRecord, Id, RunRecord } from '@dstack/core';
import type { NewRun } from '@dstack/store';

/** A run as its commits have left it. Runs that retention deletes stay. */
export interface FollowedRun {
  readonly run: RunRecord;
  readonly dependencies: readonly DependencyRecord[];
  /** Limits of its members, if it is an array. */
  readonly array: NonNullable<NewRun['array']> | null;
}

/** Follows every write of a run, in the order of the commits. */
export class RunWatch {
  readonly #runs = new Map<Id, FollowedRun>();

  get all(): Iterable<FollowedRun> {
    return this.#runs.values();
  }

  of(id: Id): FollowedRun | null {
    return this.#runs.get(id) ?? null;
  }

  submitted({ run, dependencies = [], array }: NewRun): void {
    this.#runs.set(run.id, { run, dependencies, array: array ?? null });
  }

  applied(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'run.insert') this.submitted({ run: change.run, jobs: [] });
      if (change.type !== 'run.update') continue;
      const known = this.#runs.get(change.id);
      if (known) this.#runs.set(change.id, { ...known, run: { ...known.run, ...change.set } });
    }
  }
}
