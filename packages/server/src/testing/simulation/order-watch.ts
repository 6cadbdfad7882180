/** Who is placed before whom, and when those start who have reserved something. */
import { isJobSubmitted } from '@dstack/contract/status';
import type { Change, Id, JobRecord } from '@dstack/core';
import type { Store } from '@dstack/store';
import { Breach } from './breach.ts';
import type { QuotaWatch } from './quota-watch.ts';

const SECOND = 1_000_000;

/** A pass may have read the queue this long before its decision is written (µs). */
const STALE = 15 * SECOND;

/** How long a job may take to its end after its `max_duration`: its stop, its kill, and the passes (µs). */
const LATE = (300 + 120) * SECOND;

export interface OrderWatchOptions {
  readonly store: Store;
  readonly jobs: () => Iterable<JobRecord>;
  readonly quotas: QuotaWatch;
  readonly now: () => number;
  readonly steadySince: () => number;
  readonly onBreach: (breach: Breach) => void;
}

interface Promised {
  readonly startsAt: number;
  readonly instances: string;
}

/**
 * 20: of gangs of one project with equal requirements, users without quotas of their own, the higher priority and then
 * the older one is placed first. 21: a gang starts no later than when it was first expected to on what it has reserved,
 * but for the stops of others and those that are more urgent; while no faults happen.
 */
export class OrderWatch {
  readonly #options: OrderWatchOptions;
  readonly #changedAt = new Map<Id, number>();
  /** Jobs that have asked others to leave, or have reserved something: they may come before older ones. */
  readonly #rights = new Set<Id>();
  readonly #promises = new Map<Id, Promised>();
  #isCalm = false;
  #promised = 0;
  #compared = 0;

  constructor(options: OrderWatchOptions) {
    this.#options = options;
  }

  /** How many starts were expected, and how many waiting gangs were compared with one that was placed. */
  get counts(): { readonly promised: number; readonly compared: number } {
    return { promised: this.#promised, compared: this.#compared };
  }

  /** No faults happen any more. */
  begin(): void {
    this.#isCalm = true;
  }

  inserted(jobs: readonly JobRecord[]): void {
    for (const { id } of jobs) this.#changedAt.set(id, this.#options.now());
  }

  async applied(changes: readonly Change[]): Promise<void> {
    const jobs = new Map([...this.#options.jobs()].map((job) => [job.id, job]));
    for (const change of changes) {
      if (change.type === 'job.insert') this.inserted([change.job]);
      if (change.type !== 'job.update') continue;
      const job = jobs.get(change.id);
      if (!job) continue;
      if (change.set.instanceId) {
        await this.#checkOrder(job, jobs);
        this.#forgetBehind(job, jobs);
      }
      if (change.set.reserved !== undefined || change.set.instanceId) this.#follow(job);
      if (job.reserved !== null || job.reclaim !== null) this.#rights.add(job.id);
      else this.#rights.delete(job.id);
      const { reserved: _, ...others } = change.set;
      if (Object.keys(others).length > 0) this.#changedAt.set(job.id, this.#options.now());
    }
  }

  /** 21, for those that still wait. */
  checkPromises(): void {
    const jobs = new Map([...this.#options.jobs()].map((job) => [job.id, job]));
    for (const [id, promise] of this.#promises) {
      const job = jobs.get(id);
      if (!job || !isWaiting(job)) this.#promises.delete(id);
      else this.#mustNotBeLate(job, promise);
    }
  }

  async #checkOrder(placed: JobRecord, jobs: ReadonlyMap<Id, JobRecord>): Promise<void> {
    const { quotas, now, steadySince } = this.#options;
    if (placed.jobNum !== 0 || placed.demand === null || !isAlone(placed, jobs)) return;
    const hadRight = this.#rights.has(placed.id);
    const ofUsers = quotas.quotasOf(placed.projectId).some(({ userId }) => userId !== null);
    const recent = now() - STALE;
    if (hadRight || ofUsers || steadySince() > recent || quotas.changedAt > recent) return;
    for (const other of jobs.values()) {
      if (other.projectId !== placed.projectId || other.demand !== placed.demand) continue;
      if (other.jobNum !== 0 || !isWaiting(other) || other.waitingSince === null) continue;
      if (other.runId === placed.runId || !isAlone(other, jobs)) continue;
      if ((this.#changedAt.get(other.id) ?? Number.POSITIVE_INFINITY) > recent) continue;
      this.#compared += 1;
      const isAhead =
        other.priority > placed.priority ||
        (other.priority === placed.priority && other.queuedAt < placed.queuedAt);
      if (!isAhead || (await this.#haveOtherPriorities([placed, other]))) continue;
      const text = `${placed.name} was placed before ${other.name}, which needs the same and is ahead`;
      this.#options.onBreach(new Breach(20, text));
    }
  }

  /** A changed priority of a run counts before its jobs have it. */
  async #haveOtherPriorities(jobs: readonly JobRecord[]): Promise<boolean> {
    const views = await this.#options.store.runs.viewsByIds(jobs.map(({ runId }) => runId));
    return jobs.some((job) =>
      views.some(({ run }) => run.id === job.runId && run.priority !== job.priority),
    );
  }

  /** A more urgent gang may use what others have reserved, and one that is guaranteed its place. */
  #forgetBehind(placed: JobRecord, jobs: ReadonlyMap<Id, JobRecord>): void {
    const { quotas } = this.#options;
    const isOwed = quotas.quotasOf(placed.projectId).some(({ guaranteed }) => guaranteed !== null);
    for (const id of [...this.#promises.keys()]) {
      const job = jobs.get(id);
      if (!job || job.runId === placed.runId) continue;
      if (isOwed || placed.priority > job.priority) this.#promises.delete(id);
    }
  }

  #follow(job: JobRecord): void {
    if (!this.#isCalm) return;
    const known = this.#promises.get(job.id);
    if (job.instanceId !== null) {
      if (known) this.#mustNotBeLate(job, known);
      this.#promises.delete(job.id);
      return;
    }
    if (job.reserved === null) {
      this.#promises.delete(job.id);
      return;
    }
    const { startsAt, shares } = job.reserved;
    const instances = shares.map(({ instanceId }) => instanceId).join(' ');
    // It may move to other instances if one of its own is lost, or earlier.
    if (known && known.instances === instances && known.startsAt <= startsAt) return;
    if (!known) this.#promised += 1;
    const first = known && known.startsAt < startsAt ? known.startsAt : startsAt;
    this.#promises.set(job.id, { startsAt: first, instances });
  }

  #mustNotBeLate(job: JobRecord, { startsAt }: Promised): void {
    const late = this.#options.now() - startsAt;
    if (late <= LATE) return;
    const text = `${job.name} was to start ${Math.round(late / SECOND)} s ago on what it has reserved`;
    this.#options.onBreach(new Breach(21, text));
  }
}

const isWaiting = (job: JobRecord): boolean =>
  isJobSubmitted(job.status) && job.instanceId === null && job.stopRequestedAt === null;

/** The demand of other replicas does not name the fleet that the first one has found. */
function isAlone({ runId }: JobRecord, jobs: ReadonlyMap<Id, JobRecord>): boolean {
  for (const one of jobs.values()) if (one.runId === runId && one.replicaNum !== 0) return false;
  return true;
}
