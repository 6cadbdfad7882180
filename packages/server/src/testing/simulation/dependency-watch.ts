/** Runs that wait for others. */
import { isRunDone, isRunFinished, isRunPending } from '@dstack/contract/status';
import type { Change, DependencyRecord, EndOutcome, Id, RunRecord } from '@dstack/core';
import type { NewRun } from '@dstack/store';
import { Breach } from './breach.ts';
import type { FollowedRun, RunWatch } from './run-watch.ts';

type State = 'open' | 'met' | 'unmet';

/** By the id of the run that has to end: how it did, as its own status has shown; null = it has not. */
type Outcomes = Map<Id, EndOutcome | null>;

/**
 * 23: no job of a run starts before the runs that it waits for have ended as it requires, unless a user has released it;
 * and it waits no longer than until then. Their ends are read from their own rows, not from what was copied of them.
 */
export class DependencyWatch {
  readonly #runs: RunWatch;
  readonly #outcomes = new Map<Id, Outcomes>();
  /** Users have overruled what they wait for. */
  readonly #released = new Set<Id>();
  #checks = 0;

  constructor(runs: RunWatch) {
    this.#runs = runs;
  }

  /** How many starts of jobs and members were checked. */
  get checks(): number {
    return this.#checks;
  }

  submitted({ run, dependencies = [], jobs }: NewRun): void {
    if (dependencies.length === 0) return;
    const known = dependencies.map(({ upstreamId }) => {
      const upstream = this.#runs.of(upstreamId);
      return [upstreamId, upstream && presentEnd(upstream.run)] as const;
    });
    this.#outcomes.set(run.id, new Map(known));
    if (jobs.length > 0) this.#mustBeMet(run.id);
  }

  /** A write that a user has asked for. */
  requested(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type !== 'run.update') continue;
      if (change.set.dependencyState === 'met') this.#released.add(change.id);
    }
  }

  /** After the runs of the same changes. */
  applied(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'run.update' && change.set.status !== undefined) this.#follow(change.id);
    }
    for (const change of changes) {
      if (change.type === 'job.insert') this.#mustBeMet(change.job.runId);
      else if (change.type === 'run.insert' && isRunPending(change.run.status)) {
        this.#mustBeMet(change.run.arrayId ?? '');
      } else if (change.type === 'run.update' && change.set.dependencyState === 'unmet') {
        this.#mustBeUnmet(change.id);
      }
    }
  }

  /** In a moment without work. */
  check(): void {
    for (const followed of this.#runs.all) {
      const { run } = followed;
      if (run.dependencyState === null || isRunFinished(run.status) || run.hold !== null) continue;
      const state = this.#stateOf(followed);
      if (run.dependencyState === 'open' && state !== 'open') {
        throw new Breach(23, `${run.name} still waits, and what it waits for is ${state}`);
      }
      if (run.dependencyState !== 'unmet' || !isRunPending(run.status)) continue;
      if (this.#unmetOf(followed).every(({ keep }) => keep)) continue;
      throw new Breach(23, `${run.name} waits for what can no longer come true`);
    }
  }

  #follow(upstreamId: Id): void {
    // An outcome that is the same as that of the execution before is no part of the change.
    const upstream = this.#runs.of(upstreamId);
    const end = upstream && presentEnd(upstream.run);
    if (!end) return;
    for (const outcomes of this.#outcomes.values()) {
      if (outcomes.get(upstreamId) === null) outcomes.set(upstreamId, end);
    }
  }

  #mustBeMet(id: Id): void {
    const followed = this.#runs.of(id);
    if (followed === null || followed.dependencies.length === 0) return;
    this.#checks += 1;
    const state = this.#stateOf(followed);
    if (state === 'met' || (state === 'unmet' && this.#released.has(id))) return;
    throw new Breach(23, `${followed.run.name} starts although what it waits for is ${state}`);
  }

  #mustBeUnmet(id: Id): void {
    const followed = this.#runs.of(id);
    if (followed === null || this.#stateOf(followed) === 'unmet') return;
    throw new Breach(23, `${followed.run.name} is given up although it may still start`);
  }

  #stateOf(followed: FollowedRun): State {
    if (this.#unmetOf(followed).length > 0) return 'unmet';
    const { dependencies } = followed;
    return dependencies.every((one) => this.#endFor(followed, one) !== null) ? 'met' : 'open';
  }

  #unmetOf(followed: FollowedRun): DependencyRecord[] {
    return followed.dependencies.filter((one) => {
      const end = this.#endFor(followed, one);
      return end !== null && one.on !== 'end' && one.on !== end;
    });
  }

  #endFor({ run }: FollowedRun, { upstreamId }: DependencyRecord): EndOutcome | null {
    return this.#outcomes.get(run.id)?.get(upstreamId) ?? null;
  }
}

const endOf = (status: RunRecord['status']): EndOutcome =>
  isRunDone(status) ? 'success' : 'failure';

/** Between two executions of a schedule, that of the last one. */
function presentEnd({ status, lastOutcome, resubmissionAttempt }: RunRecord): EndOutcome | null {
  if (isRunFinished(status)) return endOf(status);
  return isRunPending(status) && resubmissionAttempt === 0 ? lastOutcome : null;
}
