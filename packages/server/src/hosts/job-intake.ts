import type { JobState } from '@dstack/contract/agent';
import type { Id, Signal, Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { LogStore } from '../logs/log-store.ts';
import type { Logger } from '../process/logging.ts';
import { type AgentClient, AgentRefusal } from './agent-client.ts';
import type { JobStream, JobStreams } from './job-streams.ts';
import type { LogIntake } from './log-intake.ts';

export interface JobIntakeOptions {
  readonly hostId: string;
  readonly store: Pick<Store, 'engine' | 'reports' | 'jobs'>;
  readonly logs: Pick<LogStore, 'length'>;
  readonly streams: JobStreams;
  readonly intake: Pick<LogIntake, 'ended'>;
  readonly client: () => AgentClient;
  /** Receives every reported state, all of them again whenever a link is made. */
  readonly onState: (hostId: string, state: JobState) => void;
  readonly now: () => Timestamp;
  readonly log: Logger;
}

/** When the run is signalled though the output of its job is not stored yet. */
const LATE_MS = 1000;

/** Handles the reports of one host about its jobs. */
export class JobIntake {
  readonly #options: JobIntakeOptions;

  constructor(options: JobIntakeOptions) {
    this.#options = options;
  }

  /** Resolves once the states are stored and the records that wait for them are signalled. */
  async states(states: readonly JobState[]): Promise<void> {
    const { streams, hostId } = this.#options;
    for (const state of states) {
      const stream = await streams.find(hostId, state.id);
      if (stream) await this.#save(stream, state);
    }
  }

  /** All jobs of the host, at each connection. Returns the stored length of each log. */
  async sync(jobs: readonly JobState[]): Promise<Readonly<Record<string, number>>> {
    const { streams, hostId, logs } = this.#options;
    const lengths: Record<string, number> = {};
    for (const state of jobs) {
      const stream = await streams.find(hostId, state.id);
      if (!stream) await this.#endUnknown(state);
      else {
        await this.#save(stream, state);
        lengths[state.id] = await logs.length(stream.ref);
      }
    }
    await this.#reportLost(new Set(jobs.map((state) => state.id)));
    return lengths;
  }

  async #save(stream: JobStream, state: JobState): Promise<void> {
    const { hostId, store, now, onState } = this.#options;
    onState(hostId, state);
    const signals: Signal[] = [{ kind: 'run', id: stream.runId }];
    if (state.phase !== 'exited') {
      await store.reports.saveState(hostId, state, now(), { signals });
      return;
    }
    await store.reports.saveState(hostId, state, now());
    await this.#completed(stream, state.log_end, () => store.engine.signal(signals));
  }

  /** One pass of the run for an end and its output: before the output is complete it could only wait. */
  async #completed(stream: JobStream, end: number, signal: () => Promise<void>): Promise<void> {
    let isComplete = false;
    // Logs whose store does not answer do not hide the end.
    const late = setTimeout(() => void signal().catch(() => {}), LATE_MS);
    try {
      isComplete = await this.#options.intake.ended(stream, end);
    } finally {
      clearTimeout(late);
      if (!isComplete) await signal();
    }
  }

  /**
   * Jobs that the agent had and does not have any more (its state was deleted): it will never
   * report how they ended, so the server ends them.
   */
  async #reportLost(known: ReadonlySet<Id>): Promise<void> {
    const { hostId, store, logs, streams } = this.#options;
    const missing = (await store.jobs.onHost(hostId)).filter((job) => !known.has(job.id));
    for (const { jobId, state } of await store.reports.byJobs(missing.map((job) => job.id))) {
      const stream = await streams.find(hostId, jobId);
      if (!stream || state.phase === 'exited') continue;
      const message = 'The agent of the host has lost the job';
      await this.#save(stream, {
        ...state,
        seq: state.seq + 1,
        phase: 'exited',
        exit: { status: null, reason: lostReason(state), message, host_fault: 'job_lost' },
        log_end: await logs.length(stream.ref),
      });
    }
  }

  /** A job without a row is killed and deleted. */
  async #endUnknown(state: JobState): Promise<void> {
    const { client, log } = this.#options;
    log.warn({ job: state.id }, 'agent runs a job that is not known; ending it');
    const stop = { grace: false, reason: 'terminated_by_server', message: null };
    try {
      if (state.phase !== 'exited') await client().stopJob(state.id, stop);
      await client().deleteJob(state.id);
    } catch (error) {
      // It is still ending: the next sync finds it again and deletes it then.
      if (!(error instanceof AgentRefusal)) throw error;
    }
  }
}

/** A job that ran was interrupted; one that never ran can be started again. */
const lostReason = ({ phase }: JobState): string =>
  phase === 'running' ? 'interrupted_by_no_capacity' : 'executor_error';
