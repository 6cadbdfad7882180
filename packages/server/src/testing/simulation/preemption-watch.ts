/** Jobs that have to leave for others, judged by what claims use. */
import { isJobFinished } from '@dstack/contract/status';
import {
  type Change,
  type EngineSettings,
  type Id,
  type JobRecord,
  type RunRecord,
  termsAmounts,
} from '@dstack/core';
import { Breach } from './breach.ts';
import type { QuotaWatch } from './quota-watch.ts';

const SECOND = 1_000_000;

/** A decision was made on records that may be this old when it is written (µs). */
const STALE = 10 * SECOND;

export interface PreemptionWatchOptions {
  readonly jobs: () => Iterable<JobRecord>;
  readonly run: (id: Id) => RunRecord | null;
  readonly quotas: QuotaWatch;
  readonly settings: EngineSettings;
  readonly now: () => number;
  /** Since when no server was stopped and no clock was set. */
  readonly steadySince: () => number;
  readonly onBreach: (breach: Breach) => void;
}

/**
 * 18: for a guarantee only those have to leave whom their project borrows, counted without those that leave anyway, and
 * for a priority only lower ones of the same project, none too soon and none in vain; a gang that had its place within a guarantee is left alone. So a
 * fixed set of runs causes a bounded number of preemptions.
 */
export class PreemptionWatch {
  readonly #options: PreemptionWatchOptions;
  /** By job, when it was asked to leave. */
  readonly #asked = new Map<Id, number>();
  /** Jobs whose claim lay within the guarantees of their project when it was made. */
  readonly #within = new Map<Id, number>();
  /** Since users and faults have ended: gangs that had to leave, gangs that asked others to, and all. */
  readonly #left = new Set<string>();
  readonly #askers = new Set<string>();
  readonly #seen = new Set<string>();
  #preemptions = 0;

  constructor(options: PreemptionWatchOptions) {
    this.#options = options;
  }

  /** Requests to leave, of all gangs. */
  get preemptions(): number {
    return this.#preemptions;
  }

  applied(changes: readonly Change[]): void {
    const jobs = new Map([...this.#options.jobs()].map((job) => [job.id, job]));
    const victims: JobRecord[] = [];
    for (const change of changes) {
      if (change.type !== 'job.update') continue;
      const job = jobs.get(change.id);
      if (!job) continue;
      this.#seen.add(attemptOf(job));
      if ((job.reclaim?.runs.length ?? 0) > 0) this.#askers.add(attemptOf(job));
      const { eviction, charge } = change.set;
      if (eviction === null) this.#asked.delete(job.id);
      if (eviction && !this.#asked.has(job.id)) victims.push(job);
      if (charge === null) this.#within.delete(job.id);
      else if (charge && job.jobNum === 0 && this.#isWithin(job)) {
        this.#within.set(job.id, this.#options.now());
      }
    }
    for (const job of victims) this.#asked.set(job.id, this.#options.now());
    for (const job of victims) this.#check(job, jobs);
    this.#preemptions += new Set(victims.map(attemptOf)).size;
    for (const job of victims) this.#left.add(attemptOf(job));
  }

  /** The set of runs is fixed now. */
  begin(): void {
    this.#left.clear();
    this.#askers.clear();
    this.#seen.clear();
  }

  /** Every gang that asked and was not itself asked to leave may have cost all others one attempt. */
  checkBound(): void {
    const lasting = [...this.#askers].filter((one) => !this.#left.has(one)).length;
    const most = (lasting + 1) * Math.max(1, this.#seen.size);
    if (this.#left.size <= most) return;
    const text = `${this.#left.size} gangs had to leave for ${lasting}, at most ${most} may`;
    this.#options.onBreach(new Breach(18, text));
  }

  #check(job: JobRecord, jobs: ReadonlyMap<Id, JobRecord>): void {
    const { eviction } = job;
    const { quotas, settings, now, steadySince } = this.#options;
    if (eviction === null) return;
    const { minRuntime = 0 } = settings.preemption ?? {};
    // A clock that was set back lies behind the start.
    const ran = job.runningAt === null ? Infinity : Math.max(0, now() - job.runningAt);
    if (ran < minRuntime * SECOND - SECOND) {
      this.#fail(job, `has to leave after ${Math.round(ran / SECOND)} of ${minRuntime} s`);
    }
    const asker = [...jobs.values()].find(
      (one) =>
        one.runId === eviction.runId &&
        one.replicaNum === eviction.replicaNum &&
        !isJobFinished(one.status),
    );
    if (eviction.kind === 'priority') {
      if (!asker) return;
      const isLower = this.#priorityOf(job) < this.#priorityOf(asker);
      if (asker.projectId === job.projectId && isLower) return;
      this.#fail(job, `has to leave for ${asker.name}, of no lower priority`);
      return;
    }
    if (asker?.projectId === job.projectId) this.#fail(job, 'has to leave for its own project');
    if (asker) this.#checkPlan(job, asker, jobs);
    const recent = now() - STALE;
    if (quotas.changedAt > recent || quotas.releasedAt(job.projectId) > recent) return;
    if (steadySince() > recent) return;
    const since = this.#within.get(job.id);
    if (since !== undefined && since > quotas.changedAt) {
      this.#fail(job, 'has to leave, and lay within the guarantee of its project');
    }
    if (!this.#isBorrowed(job, jobs)) {
      this.#fail(
        job,
        'has to leave, and its project borrows nothing without the others that leave',
      );
    }
  }

  /** That of its run: a changed one counts before waiting jobs have it, and those with a place never do. */
  #priorityOf({ runId, priority }: JobRecord): number {
    return this.#options.run(runId)?.priority ?? priority;
  }

  /** Only jobs on the places that the gang will get leave. */
  #checkPlan(job: JobRecord, { reclaim }: JobRecord, jobs: ReadonlyMap<Id, JobRecord>): void {
    const planned = reclaim?.shares?.map(({ instanceId }) => instanceId);
    const own = [...jobs.values()].filter((one) => attemptOf(one) === attemptOf(job));
    if (!planned || own.some(({ instanceId }) => planned.includes(instanceId ?? ''))) return;
    this.#fail(job, 'has to leave, and its place is not used');
  }

  /** Each guarantee that the job is charged to leaves room for it, all claims counted. */
  #isWithin(job: JobRecord): boolean {
    const lines = this.#linesOf(job);
    return lines.length > 0 && lines.every(({ used, most }) => used <= most);
  }

  /** Its project uses more than a guarantee, although all others leave that have been asked to. */
  #isBorrowed(job: JobRecord, jobs: ReadonlyMap<Id, JobRecord>): boolean {
    const others = new Set(
      [...this.#asked.keys()].filter((id) => {
        const one = jobs.get(id);
        return one !== undefined && attemptOf(one) !== attemptOf(job);
      }),
    );
    const lines = this.#linesOf(job, others);
    return lines.length === 0 || lines.some(({ used, most }) => used > most);
  }

  #linesOf(job: JobRecord, but?: ReadonlySet<Id>) {
    const { quotas } = this.#options;
    const charge = quotas.chargeOf(job.id);
    if (charge === null) return [];
    return quotas
      .quotasOf(job.projectId)
      .filter(({ userId, fleetId, guaranteed }) => {
        const isCharged = fleetId === null || fleetId === charge.fleetId;
        return guaranteed !== null && userId === null && isCharged;
      })
      .flatMap((quota) => {
        const used = quotas.usedOf(quota, but);
        return Object.entries(termsAmounts(quota.guaranteed)).flatMap(([resource, most]) =>
          (charge.amounts[resource] ?? 0) > 0 ? [{ used: used[resource] ?? 0, most }] : [],
        );
      });
  }

  #fail(job: JobRecord, text: string): void {
    this.#options.onBreach(new Breach(18, `${job.name}#${job.submissionNum} ${text}`));
  }
}

const attemptOf = ({ runId, replicaNum, submissionNum }: JobRecord): string =>
  `${runId} ${replicaNum} ${submissionNum}`;
