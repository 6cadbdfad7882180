/** Arrays and their members. */
import {
  isRunFinished,
  isRunPending,
  isRunSubmitted,
  isRunTerminating,
  isRunWaiting,
  type RunStatus,
} from '@dstack/contract/status';
import { arrayOf, type Change, type Id, indexesOf, type RunRecord } from '@dstack/core';
import type { Store } from '@dstack/store';
import { Breach } from './breach.ts';
import type { FollowedRun, RunWatch } from './run-watch.ts';
import type { Watch } from './watch.ts';

/** More of one array do not wait at a time. */
const MOST_WAITING = 100;

type ArrayLimits = NonNullable<FollowedRun['array']>;

/**
 * 22: each member of an array is born once, and only while its array may run; no more than `max_parallel` are alive; the
 * array ends with the last of them, with the status that theirs require; and none is forgotten: in moments without work as
 * many are born as may be, and requests to the array have reached them all.
 */
export class ArrayWatch {
  readonly #runs: RunWatch;
  readonly #jobs: Pick<Watch, 'job' | 'hasPlace'>;
  /** By array and index. Retention deletes the rows of members, but no second one may be born. */
  readonly #members = new Map<Id, Map<number, Id>>();
  /** Members that were stopped before their birth: they take no place of another one. */
  readonly #early = new Set<Id>();
  /** Members that users have released alone, or that have had a place, since their array was held: the hold came too late. */
  readonly #released = new Set<Id>();
  /** Runs that users have stopped. */
  readonly #stopped = new Set<Id>();
  #births = 0;
  #ends = 0;

  constructor(runs: RunWatch, jobs: Pick<Watch, 'job' | 'hasPlace'>) {
    this.#runs = runs;
    this.#jobs = jobs;
  }

  get counts(): { readonly births: number; readonly arraysEnded: number } {
    return { births: this.#births, arraysEnded: this.#ends };
  }

  /** A write that a user has asked for. */
  requested(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type !== 'run.update') continue;
      if (change.set.terminationReason) this.#stopped.add(change.id);
      if (change.set.hold === null) this.#released.add(change.id);
      // A hold of the array concerns all of its members again that have no place.
      else if (change.set.hold) {
        for (const { id, status } of this.#membersOf(change)) {
          if (isRunWaiting(status) && !this.#jobs.hasPlace(id)) this.#released.delete(id);
        }
      }
    }
  }

  /** After the runs and jobs of the same changes. */
  applied(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'run.insert') this.#born(change.run);
      const job = change.type === 'job.update' && this.#jobs.job(change.id);
      if (job && job.instanceId !== null) this.#released.add(job.runId);
    }
    for (const change of changes) {
      if (change.type !== 'run.update' || change.set.status === undefined) continue;
      if (isRunFinished(change.set.status)) this.#ended(change.id);
    }
  }

  /** In a moment without work. */
  async check(store: Store): Promise<void> {
    for (const { run, array } of this.#runs.all) {
      if (array === null || isRunFinished(run.status)) continue;
      await this.#checkCounts(store, run);
      this.#checkBirths(run, array);
      this.#checkRequests(run);
    }
  }

  /** All of them were stopped. */
  checkEnded(): void {
    for (const { run, array } of this.#runs.all) {
      const isConcerned = array !== null || run.arrayId !== null;
      if (!isConcerned || isRunFinished(run.status)) continue;
      throw new Breach(22, `${run.name} was stopped and is ${run.status}`);
    }
  }

  #born(member: RunRecord): void {
    const { arrayId, arrayIndex: index, name } = member;
    const of = this.#runs.of(arrayId ?? '');
    const spec = of && arrayOf(of.run.spec);
    if (!of?.array || !spec || index === null)
      throw new Breach(22, `${name} is born without array`);
    const known = this.#members.get(of.run.id) ?? new Map<number, Id>();
    this.#members.set(of.run.id, known);
    if (known.has(index)) throw new Breach(22, `${name} is born twice`);
    if (!indexesOf(spec).includes(index)) throw new Breach(22, `${name} is not to be born`);
    known.set(index, member.id);
    this.#births += 1;
    if (isRunTerminating(member.status)) {
      this.#early.add(member.id);
      return;
    }
    const { status, hold } = of.run;
    const isOpen = !isRunPending(status) && !isRunTerminating(status) && !isRunFinished(status);
    if (!isOpen || hold !== null)
      throw new Breach(22, `${name} is born, and its array is ${status}`);
    const alive = this.#aliveOf(of.run).length;
    if (alive <= of.array.maxParallel) return;
    throw new Breach(
      22,
      `${alive} members of ${of.run.name} are alive, at most ${of.array.maxParallel}`,
    );
  }

  #ended(id: Id): void {
    const followed = this.#runs.of(id);
    if (!followed?.array) return;
    const { run, array } = followed;
    this.#ends += 1;
    const statuses = this.#statusesOf(run);
    const left = statuses.find((status) => !isRunFinished(status));
    if (left) throw new Breach(22, `array ${run.name} has ended, and a member is ${left}`);
    const isCut = this.#stopped.has(id) || run.dependencyState === 'unmet';
    if (!isCut && statuses.length < array.total) {
      throw new Breach(22, `array ${run.name} has ended with ${statuses.length} of ${array.total}`);
    }
    const wanted = isCut ? null : wantedStatus(statuses, array);
    if (wanted === null || wanted === run.status) return;
    throw new Breach(
      22,
      `array ${run.name} is ${run.status}, its members are ${statuses.join(' ')}`,
    );
  }

  /** The numbers beside the array's row are those of its members. */
  async #checkCounts(store: Store, run: RunRecord): Promise<void> {
    const statuses = this.#statusesOf(run);
    const row = await store.runs.arrayOf(run.id);
    for (const [status, count] of Object.entries(row?.members ?? {})) {
      const have = statuses.filter((one) => one === status).length;
      if (have === count) continue;
      throw new Breach(22, `array ${run.name} counts ${count} members ${status}, and has ${have}`);
    }
  }

  #checkBirths(run: RunRecord, { total, maxParallel }: ArrayLimits): void {
    const members = this.#membersOf(run);
    const alive = members.filter(({ status }) => !isRunFinished(status));
    if (alive.length === 0 && members.length === total) {
      throw new Breach(22, `array ${run.name} (${run.status}) outlives its members`);
    }
    const awaitsOthers = run.dependencyState === 'open' || run.dependencyState === 'unmet';
    if (isRunTerminating(run.status) || run.hold !== null || awaitsOthers) return;
    const waiting = alive.filter(({ status }) => isRunPending(status) || isRunSubmitted(status));
    const room = Math.min(maxParallel - alive.length, MOST_WAITING - waiting.length);
    if (members.length === total || room <= 0) return;
    throw new Breach(22, `${room} more members of ${run.name} may be born, and none is`);
  }

  #checkRequests(run: RunRecord): void {
    // A signal that was lost is repeated soon.
    if (run.nextPassAt !== null) return;
    for (const { id, name, status, hold } of this.#membersOf(run)) {
      const isWaiting = isRunPending(status) || isRunSubmitted(status);
      if (isRunTerminating(run.status) && !isRunTerminating(status) && !isRunFinished(status)) {
        throw new Breach(22, `${name} is ${status}, and its array is ${run.status}`);
      }
      if (run.hold !== null && isWaiting && hold === null && !this.#released.has(id)) {
        throw new Breach(22, `${name} is ${status}, and its array is held`);
      }
    }
  }

  #membersOf({ id }: Pick<RunRecord, 'id'>): RunRecord[] {
    const ids = [...(this.#members.get(id)?.values() ?? [])];
    return ids.flatMap((one) => this.#runs.of(one)?.run ?? []);
  }

  #statusesOf(run: RunRecord): RunStatus[] {
    return this.#membersOf(run).map(({ status }) => status);
  }

  #aliveOf(run: RunRecord): RunRecord[] {
    const members = this.#membersOf(run);
    return members.filter(({ id, status }) => !isRunFinished(status) && !this.#early.has(id));
  }
}

function wantedStatus(statuses: readonly RunStatus[], { maxFailures }: ArrayLimits): RunStatus {
  const count = (status: RunStatus) => statuses.filter((one) => one === status).length;
  if (count('failed') > maxFailures) return 'failed';
  return count('done') + count('failed') === 0 ? 'terminated' : 'done';
}
