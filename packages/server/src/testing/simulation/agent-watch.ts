/** Agents that lie about jobs of others. */
import type { JobState } from '@dstack/contract/agent';
import type { Change, Id, JobRecord } from '@dstack/core';
import type { Store } from '@dstack/store';
import { LIE, LIE_NUMBER } from './agent-lies.ts';
import { Breach } from './breach.ts';
import type { SimHost } from './sim-hosts.ts';

export interface AgentWatchOptions {
  readonly job: (id: Id) => JobRecord | null;
  readonly host: (id: string) => SimHost | null;
  readonly onBreach: (breach: Breach) => void;
}

/**
 * 25: an agent changes nothing of jobs on other hosts, whatever it reports: a job ends with the status with which its
 * process has ended on its instance, and nothing is stored that another agent has made up, or that its own agent has
 * reported before what is stored.
 */
export class AgentWatch {
  readonly #options: AgentWatchOptions;
  /** By job: the number of the newest report that is stored. */
  readonly #newest = new Map<Id, number>();

  constructor(options: AgentWatchOptions) {
    this.#options = options;
  }

  applied(changes: readonly Change[]): void {
    for (const change of changes) if (change.type === 'job.update') this.#check(change);
  }

  /** The store, in which no lie about another host may be written. */
  watched(store: Store): Store {
    const { reports, metrics } = store;
    const saveState: typeof reports.saveState = async (hostId, state, ...more) => {
      this.#mustBeTrue(state.exit?.message !== LIE, `the end of ${state.id}`);
      const isStored = await reports.saveState(hostId, state, ...more);
      if (isStored) this.#stored(state);
      return isStored;
    };
    const savePull: typeof reports.savePull = async (jobId, progress) => {
      this.#mustBeTrue(progress.total_bytes !== LIE_NUMBER, `the pull of ${jobId}`);
      await reports.savePull(jobId, progress);
    };
    const saveActivity: typeof reports.saveActivity = async (jobId, seconds) => {
      this.#mustBeTrue(seconds !== LIE_NUMBER, `the activity of ${jobId}`);
      await reports.saveActivity(jobId, seconds);
    };
    const addJobPoints: typeof metrics.addJobPoints = async (points) => {
      for (const { jobId, metrics: point } of points) {
        this.#mustBeTrue(point.memory_usage_bytes !== LIE_NUMBER, `metrics of ${jobId}`);
      }
      await metrics.addJobPoints(points);
    };
    return {
      ...store,
      reports: { ...reports, saveState, savePull, saveActivity },
      metrics: { ...metrics, addJobPoints },
    };
  }

  #stored({ id, seq }: JobState): void {
    const newest = this.#newest.get(id) ?? -1;
    if (seq <= newest) this.#breach(`report ${seq} of ${id} was stored after ${newest}`);
    this.#newest.set(id, seq);
  }

  #check({ id, set }: Extract<Change, { type: 'job.update' }>): void {
    const job = this.#options.job(id);
    if (!job || set.exitStatus === undefined || set.exitStatus === null) return;
    const host = this.#options.host(job.instanceId ?? '') ?? this.#options.host('local');
    const state = host?.jobs.states.find((one) => one.id === id);
    if (!state || (state.phase === 'exited' && state.exit?.status === set.exitStatus)) return;
    const has = `${state.phase} (${state.exit?.status})`;
    this.#breach(`${job.name} has ended with ${set.exitStatus}, and its process is ${has}`);
  }

  #mustBeTrue(isTrue: boolean, what: string): void {
    if (!isTrue) this.#breach(`${what} was stored as another host's agent has made it up`);
  }

  #breach(text: string): void {
    this.#options.onBreach(new Breach(25, text));
  }
}
