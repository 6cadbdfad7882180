import type { JobState } from '@dstack/contract/agent';
import type { LivenessSpec } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { JobView } from '@dstack/store';
import { type LivenessCount, NO_ANSWER_YET, nextCount } from './liveness-count.ts';
import { probe } from './probe.ts';
import type { ProberOptions } from './prober-options.ts';
import { secretFiller } from './secret-filler.ts';

const SECOND_US = 1_000_000;

interface Watched {
  readonly hostId: string;
  view: JobView | null;
  /** The probe as JSON. */
  spec: string;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Sends liveness probes to replicas while their agents report them as running, and stores the number of
 * failures once it is too high: the run's pass then restarts the replica.
 */
export class LivenessProber {
  readonly #options: ProberOptions;
  readonly #jobs = new Map<Id, Watched>();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  onJobState(hostId: string, { id, phase }: Pick<JobState, 'id' | 'phase'>): void {
    if (phase === 'exited') this.#end(id);
    else if (phase === 'running' && this.#jobs.get(id)?.hostId !== hostId) {
      void this.#begin(hostId, id);
    }
  }

  /** The run has changed: its replicas may have another probe. */
  changed(runId: Id): void {
    for (const [jobId, { hostId, view }] of this.#jobs) {
      if (view?.run.id === runId) void this.#begin(hostId, jobId);
    }
  }

  close(): void {
    for (const id of [...this.#jobs.keys()]) this.#end(id);
  }

  async #begin(hostId: string, jobId: Id): Promise<void> {
    const before = this.#jobs.get(jobId);
    const watched: Watched = before ?? { hostId, view: null, spec: '', timer: undefined };
    if (!before) this.#jobs.set(jobId, watched);
    try {
      const view = await this.#options.store.jobs.byId(jobId);
      if (this.#jobs.get(jobId) !== watched) return;
      if (view?.run.spec.configuration.type !== 'service' || view.job.jobNum !== 0) {
        this.#end(jobId);
        return;
      }
      const { liveness } = view.job.spec;
      const spec = JSON.stringify(liveness ?? null);
      if (before && spec === watched.spec) return;
      clearTimeout(watched.timer);
      Object.assign(watched, { view, spec, timer: undefined });
      if (liveness) this.#schedule(watched, liveness, NO_ANSWER_YET);
    } catch (error) {
      // The agent reports the job again when the link is restored.
      if (!before) this.#end(jobId);
      this.#options.log.warn({ job: jobId, err: error }, 'a liveness probe could not be read');
    }
  }

  #end(jobId: Id): void {
    clearTimeout(this.#jobs.get(jobId)?.timer);
    this.#jobs.delete(jobId);
  }

  #schedule(watched: Watched, spec: LivenessSpec, count: LivenessCount): void {
    const { view } = watched;
    if (view === null || this.#jobs.get(view.job.id) !== watched) return;
    const timer = setTimeout(() => {
      void this.#execute(watched, spec, count).then((next) => {
        if (watched.timer === timer) this.#schedule(watched, spec, next);
      });
    }, spec.interval * 1000).unref();
    watched.timer = timer;
  }

  async #execute(
    watched: Watched,
    spec: LivenessSpec,
    before: LivenessCount,
  ): Promise<LivenessCount> {
    const { store, now, client, log } = this.#options;
    const { view, hostId } = watched;
    const agent = client(hostId);
    const port = view?.job.spec.service_port ?? null;
    // An unreachable host is no failure of the app.
    if (view === null || agent === null || port === null) return before;
    const { id, runId, runningAt } = view.job;
    try {
      const fill = await secretFiller(store, spec, view.run.projectId);
      const open = async () => (await agent.openPort(id, port)).stream;
      const result = await probe(spec, open, fill);
      const ranFor = (now() - (runningAt ?? view.job.statusChangedAt)) / SECOND_US;
      const count = nextCount(before, result === 'well', spec, ranFor);
      if (count.failures >= spec.failures && this.#jobs.get(id) === watched) {
        const signals = [{ kind: 'run' as const, id: runId }];
        await store.jobs.setLivenessFailures(id, count.failures, { signals });
      }
      return count;
    } catch (error) {
      log.warn({ job: id, err: error }, 'the liveness of a replica is unknown');
      return before;
    }
  }
}
