import { isJobFinished, isJobTerminating } from '@dstack/contract/status';
import type { Change, Id, JobRecord } from '@dstack/core';
import { Breach } from './breach.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimHost } from './sim-hosts.ts';

const SECOND = 1_000_000;

/** Messages with which something ends for want of an answer, and after how many seconds. */
const ENDINGS: readonly (readonly [text: string, seconds: number])[] = [
  ['The job was not started within two hours', 7200],
  ['No instance was created within an hour', 3600],
  ['The agent of the instance did not accept the job in time', 600],
  ['The agent did not come up in ', 600],
  ['The instance could not be reached for too long', 120],
  ['The host could not be added within 10 minutes', 600],
  ['The backend did not answer within 10 minutes', 600],
  ['It was not ready within 20 minutes', 1200],
  ['it was not attached within 5 minutes', 300],
];
/** The longest of these limits that an instance or volume has, twice: up to a minute of work before a crash is not recorded. */
const LONGEST = 2 * 1200;
/** From the order of a kill to the end of a job without an answer. */
const KILL = 30;
/** Passes take a moment (µs). */
const SLACK = 3 * SECOND;

export interface SilenceWatchOptions {
  readonly clock: SimClock;
  readonly job: (id: Id) => JobRecord | null;
  readonly host: (id: string) => SimHost | null;
  /** µs in which at least one server could work. */
  readonly awake: () => number;
  readonly onBreach: (breach: Breach) => void;
}

/**
 * 16: what ends for want of an answer has had its whole time for it, in which a server could receive one: whatever the
 * clocks of hosts show, and however long servers were stopped.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  /** By the id of a record: the time awake at which its status changed last. */
  readonly #since = new Map<Id, number>();
  /** By the id of a job: the same for the order of its stop or kill. */
  readonly #asked = new Map<Id, number>();

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  applied(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'job.update') this.#checkKill(change.id, change.set);
      if (!('set' in change) || !('id' in change)) continue;
      const set = change.set as Readonly<Record<string, unknown>>;
      const texts = [set.terminationMessage, set.statusMessage, set.error];
      for (const text of texts) if (typeof text === 'string') this.#check(change.id, text);
      const { awake } = this.#options;
      if (set.status !== undefined) this.#since.set(change.id, awake());
      if (set.stopRequestedAt !== undefined) this.#asked.set(change.id, awake());
    }
  }

  /** These wait for their machine still: none of them has waited for much longer than it may. */
  checkGivenUp(waiting: readonly { readonly id: Id; readonly name: string }[]): void {
    const { awake, onBreach } = this.#options;
    for (const { id, name } of waiting) {
      const passed = awake() - (this.#since.get(id) ?? awake());
      if (passed <= LONGEST * SECOND) continue;
      onBreach(
        new Breach(16, `${name} is still waited for after ${Math.round(passed / SECOND)} s`),
      );
    }
  }

  #check(id: Id, text: string): void {
    const since = this.#since.get(id);
    const seconds = ENDINGS.find(([begin]) => text.includes(begin))?.[1];
    if (seconds === undefined || since === undefined) return;
    this.#mustHavePassed(id, since, seconds, text);
  }

  /** A process that still runs is not given up before its host could report its end. */
  #checkKill(id: Id, set: Partial<JobRecord>): void {
    const job = this.#options.job(id);
    const asked = this.#asked.get(id);
    if (!job || asked === undefined || !isJobTerminating(job.status)) return;
    if (set.status === undefined || !isJobFinished(set.status) || job.stopGraceful) return;
    const host = this.#options.host(job.instanceId ?? '');
    if (!host?.jobs.running.some(({ spec }) => spec.id === id)) return;
    if (!host.isReachable) return;
    this.#mustHavePassed(id, asked, KILL, 'its kill was not answered');
  }

  #mustHavePassed(id: Id, since: number, seconds: number, text: string): void {
    const { awake, onBreach } = this.#options;
    const passed = awake() - since;
    if (passed >= seconds * SECOND - SLACK) return;
    const had = Math.round(passed / SECOND);
    onBreach(new Breach(16, `${id} ended after ${had} s of ${seconds}: ${text}`));
  }
}
