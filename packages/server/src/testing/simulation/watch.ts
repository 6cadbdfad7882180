import { isFailing, isJobFinished, isJobRunning } from '@dstack/contract/status';
import {
  type Change,
  hadToLeave,
  type Id,
  type JobRecord,
  jobOutcome,
  latestSubmissions,
} from '@dstack/core';
import { Breach } from './breach.ts';

const SECOND = 1_000_000;

/** Follows every write of a job, in the order of the commits. */
export class Watch {
  readonly #onBreach: (breach: Breach) => void;
  /** Otherwise the times of records show no delays. */
  readonly #isTimeSteady: boolean;
  readonly #jobs = new Map<Id, JobRecord>();
  /** Instances that fail their health checks. */
  readonly #failing = new Set<Id>();
  #submissions = 0;

  /** `onBreach`: an error thrown before a write would only fail the pass, which is repeated. */
  constructor(onBreach: (breach: Breach) => void, isTimeSteady: boolean) {
    this.#onBreach = onBreach;
    this.#isTimeSteady = isTimeSteady;
  }

  get submissions(): number {
    return this.#submissions;
  }

  get jobs(): Iterable<JobRecord> {
    return this.#jobs.values();
  }

  job(id: Id): JobRecord | null {
    return this.#jobs.get(id) ?? null;
  }

  /** Whether a job of the run has an instance. */
  hasPlace(runId: Id): boolean {
    const live = this.#of(runId).filter(({ status }) => !isJobFinished(status));
    return live.some(({ instanceId }) => instanceId !== null);
  }

  inserted(jobs: readonly JobRecord[]): void {
    for (const job of jobs) this.#insert(job);
  }

  /**
   * Called before they are written, because decisions are judged by the facts that they were based
   * on.
   */
  applying(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'run.update') this.#checkRunEnd(change, changes);
    }
  }

  applied(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'job.insert') this.#insert(change.job);
      else if (change.type === 'job.delete') this.#jobs.delete(change.id);
      else if (change.type === 'job.update') {
        this.#checkPlace(change);
        const job = this.#jobs.get(change.id);
        if (job) this.#jobs.set(job.id, { ...job, ...change.set });
      } else if (change.type === 'instance.update' && change.set.health !== undefined) {
        if (isFailing(change.set.health)) this.#failing.add(change.id);
        else this.#failing.delete(change.id);
      }
    }
  }

  #insert(job: JobRecord): void {
    this.#submissions += 1;
    if (this.#isTimeSteady) this.#checkDelay(job);
    this.#jobs.set(job.id, job);
  }

  #of(runId: Id): JobRecord[] {
    return [...this.#jobs.values()].filter((job) => job.runId === runId);
  }

  /**
   * 3: a submission that failed under the same spec is followed by another after a growing delay. Nodes that
   * were ended because another one had to leave did not fail.
   */
  #checkDelay(job: JobRecord): void {
    const earlier = this.#of(job.runId)
      .filter((one) => one.replicaNum === job.replicaNum && one.jobNum === job.jobNum)
      .sort((a, b) => b.submissionNum - a.submissionNum);
    const [last] = earlier;
    if (!last || jobOutcome(last) !== 'failed' || this.#hadAllToLeave(last)) return;
    if (last.deploymentNum !== job.deploymentNum) return;
    if (last.spec.job_num !== 0 || last.finishedAt === null || job.attempt === 0) return;
    const gap = job.submittedAt - last.finishedAt;
    const least = 0.8 * Math.min(2 ** (job.attempt - 1), 300) * SECOND;
    if (gap < least) {
      throw new Breach(3, `${job.name} came back ${gap / SECOND} s after failure ${job.attempt}`);
    }
    if (job.attempt > 1 && job.attempt !== last.attempt + 1) {
      throw new Breach(3, `${job.name} counts attempt ${job.attempt} after ${last.attempt}`);
    }
  }

  #hadAllToLeave({ runId, replicaNum, submissionNum }: JobRecord): boolean {
    const failed = this.#of(runId).filter(
      (job) =>
        job.replicaNum === replicaNum &&
        job.submissionNum === submissionNum &&
        jobOutcome(job) === 'failed',
    );
    const own = failed.filter((job) => job.terminationReason !== 'terminated_by_server');
    return own.length > 0 && own.every(hadToLeave);
  }

  /** 7: no job is placed on an instance that fails its health checks. */
  #checkPlace({ id, set }: Extract<Change, { type: 'job.update' }>): void {
    if (set.instanceId && this.#failing.has(set.instanceId)) {
      throw new Breach(7, `${this.#jobs.get(id)?.name} was placed on an unhealthy instance`);
    }
  }

  /** 4: beside a serving replica, no failure ends the run. */
  #checkRunEnd(
    { id, set }: Extract<Change, { type: 'run.update' }>,
    changes: readonly Change[],
  ): void {
    const { terminationReason: reason } = set;
    if (reason !== 'job_failed' && reason !== 'retry_limit_exceeded') return;
    const after = new Map<Id, Partial<JobRecord>>();
    for (const change of changes)
      if (change.type === 'job.update') after.set(change.id, change.set);
    const serving = latestSubmissions(this.#of(id)).filter(
      (job) => isJobRunning(job.status) && job.ready && job.jobNum === 0,
    );
    for (const job of serving) {
      const end = after.get(job.id)?.terminationReason ?? null;
      if (end === null || end === 'terminated_by_server') {
        this.#onBreach(new Breach(4, `run ${id} ended as ${reason} while ${job.name} served`));
      }
    }
  }
}
