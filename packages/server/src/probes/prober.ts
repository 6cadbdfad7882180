import type { JobState } from '@dstack/contract/agent';
import { type Id, SECOND } from '@dstack/core';
import type { JobView, ProbeRecord } from '@dstack/store';
import { LivenessProber } from './liveness.ts';
import { type ProbeResult, type ProbeSettings, probe } from './probe.ts';
import type { ProberOptions } from './prober-options.ts';
import { secretFiller } from './secret-filler.ts';

interface Probed {
  readonly hostId: string;
  /** Null until the probes have been read. */
  runId: Id | null;
  /** The probes as JSON. */
  specs: string;
  readonly timers: Set<NodeJS.Timeout>;
}

interface Probe {
  readonly spec: ProbeSettings;
  readonly view: JobView;
  readonly record: ProbeRecord;
  /** Executions in a row without a listener. */
  readonly misses: number;
}

interface Loaded {
  readonly view: JobView | null;
  readonly probes: readonly Probe[];
}

const specsOf = ({ job }: JobView) => JSON.stringify(job.spec.probes ?? []);

/** A starting app is probed again after this long (µs), with growing delays up to its interval. */
const FIRST_MISS = 0.05 * SECOND;
const GROWTH = 1.3;

/**
 * Probes replicas of services from the moment their agent reports them as running until it reports
 * their end. Agents repeat their reports after each connection, so nothing has to be searched for;
 * with several servers, each probes the hosts it is linked to.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #jobs = new Map<Id, Probed>();
  readonly #liveness: LivenessProber;
  #closed = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#liveness = new LivenessProber(options);
  }

  readonly onJobState = (hostId: string, state: JobState): void => {
    if (!this.#closed) this.#liveness.onJobState(hostId, state);
    if (state.phase === 'running') this.#begin(hostId, state.id);
    else if (state.phase === 'exited') this.#end(state.id);
  };

  /** The run has changed: its replicas may have other probes. */
  changed(runId: Id): void {
    this.#liveness.changed(runId);
    for (const [jobId, probed] of this.#jobs) {
      if (probed.runId === runId) void this.#reload(jobId, probed);
    }
  }

  close(): void {
    this.#closed = true;
    this.#liveness.close();
    for (const id of [...this.#jobs.keys()]) this.#end(id);
  }

  #begin(hostId: string, jobId: Id): void {
    if (this.#closed || this.#jobs.get(jobId)?.hostId === hostId) return;
    this.#end(jobId);
    const probed: Probed = { hostId, runId: null, specs: '', timers: new Set() };
    this.#jobs.set(jobId, probed);
    this.#load(jobId).then(
      (loaded) => this.#start(jobId, probed, loaded),
      (error: unknown) => {
        // The agent reports the job again when the link is restored.
        this.#end(jobId);
        this.#options.log.warn({ job: jobId, err: error }, 'probes could not be read');
      },
    );
  }

  /** Jobs of services are remembered without probes too: they may get some. */
  #start(jobId: Id, probed: Probed, { view, probes }: Loaded): void {
    if (view?.run.spec.configuration.type !== 'service' || view.job.jobNum !== 0) {
      this.#end(jobId);
      return;
    }
    probed.runId = view.run.id;
    probed.specs = specsOf(view);
    for (const one of probes) this.#schedule(probed, one);
  }

  async #reload(jobId: Id, { hostId, specs }: Probed): Promise<void> {
    // The probes that are in use continue until others can be read.
    const view = await this.#options.store.jobs.byId(jobId).catch(() => null);
    if (view === null || specsOf(view) === specs) return;
    const present = this.#jobs.get(jobId);
    if (present?.hostId !== hostId || present.specs !== specs) return;
    this.#end(jobId);
    this.#begin(hostId, jobId);
  }

  #end(jobId: Id): void {
    const probed = this.#jobs.get(jobId);
    this.#jobs.delete(jobId);
    for (const timer of probed?.timers ?? []) clearTimeout(timer);
  }

  async #load(jobId: Id): Promise<Loaded> {
    const { store, now, newId } = this.#options;
    const view = await store.jobs.byId(jobId);
    const specs = view?.job.spec.probes ?? [];
    if (view?.job.jobNum !== 0 || specs.length === 0) return { view, probes: [] };
    const due = now();
    const fresh = specs.map((_, probeNum) => ({
      ...{ id: newId(), jobId, probeNum, successStreak: 0, due },
    }));
    // Existing ones are unchanged.
    await store.jobs.insertProbes(fresh);
    const records = await store.jobs.probes([jobId]);
    const probes = records.flatMap((record) => {
      const spec = specs[record.probeNum];
      if (!spec) return [];
      // An earlier probe of this number may have been over once the replica was ready.
      const next = record.due === null && !spec.until_ready ? { ...record, due } : record;
      return [{ spec, view, record: next, misses: 0 }];
    });
    return { view, probes };
  }

  #schedule(probed: Probed, one: Probe): void {
    const { due } = one.record;
    if (due === null || this.#jobs.get(one.record.jobId) !== probed) return;
    // A time that a server with a wrong clock stored may lie further ahead than any of ours.
    const left = Math.min(due - this.#options.now(), one.spec.interval * SECOND);
    const delay = Math.max(0, left) / 1000;
    const timer = setTimeout(() => {
      probed.timers.delete(timer);
      void this.#execute(probed, one).then((next) => this.#schedule(probed, next));
    }, delay).unref();
    probed.timers.add(timer);
  }

  /** The interval counts from the end of one execution to the start of the next. */
  async #execute(probed: Probed, one: Probe): Promise<Probe> {
    const { spec, view, record } = one;
    const { store, now, log } = this.#options;
    const result = await this.#ask(probed, one);
    if (result === 'not-listening' && record.successStreak === 0) return this.#soon(one);
    const successStreak = result === 'well' ? record.successStreak + 1 : 0;
    const isOver = spec.until_ready && successStreak >= spec.ready_after;
    const due = isOver ? null : now() + spec.interval * SECOND;
    const next = { ...record, successStreak, due };
    // A ready replica stays ready: the run only needs the results before that.
    const needsSignal = successStreak !== record.successStreak && successStreak <= spec.ready_after;
    const signals = needsSignal ? [{ kind: 'run' as const, id: view.run.id }] : [];
    await store.jobs.saveProbe(next, { signals }).catch((error: unknown) => {
      log.warn({ job: record.jobId, err: error }, 'the result of a probe was not stored');
    });
    return { ...one, record: next, misses: 0 };
  }

  #soon(one: Probe): Probe {
    const wait = Math.min(FIRST_MISS * GROWTH ** one.misses, one.spec.interval * SECOND);
    const record = { ...one.record, due: this.#options.now() + wait };
    return { ...one, record, misses: one.misses + 1 };
  }

  async #ask(probed: Probed, { spec, view }: Probe): Promise<ProbeResult> {
    const client = this.#options.client(probed.hostId);
    const port = view.job.spec.service_port ?? null;
    if (client === null || port === null) return 'unwell';
    try {
      const fill = await secretFiller(this.#options.store, spec, view.run.projectId);
      const open = async () => (await client.openPort(view.job.id, port)).stream;
      return await probe(spec, open, fill);
    } catch (error) {
      this.#options.log.debug({ job: view.job.id, err: error }, 'probe failed');
      return 'unwell';
    }
  }
}
