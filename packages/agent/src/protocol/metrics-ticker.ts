import { monotonicMs } from '../host/clock.ts';
import { gpuUsage } from '../host/gpu-usage.ts';
import type { EventLogger } from '../host/log.ts';
import type { AgentJob } from '../jobs/job.ts';
import type { JobRegistry } from '../jobs/registry.ts';
import type { StreamSession } from './stream-session.ts';

/**
 * When a job that has just started is measured, in milliseconds. Twice, because CPU use is the
 * difference of two points, and the first should not take two periods.
 */
const AFTER_START_MS = [0, 1000];

/** Reports the resources of running jobs, and how long no user has been connected to them. */
export class MetricsTicker {
  readonly #registry: JobRegistry;
  readonly #session: () => StreamSession | null;
  readonly #log: EventLogger;
  readonly #timer: NodeJS.Timeout;
  readonly #unlisten: () => void;
  /** Jobs that have reported `running`, with their timers. */
  readonly #started = new Map<string, readonly NodeJS.Timeout[]>();
  #busy = false;

  constructor(
    registry: JobRegistry,
    session: () => StreamSession | null,
    periodMs: number,
    log: EventLogger,
  ) {
    this.#registry = registry;
    this.#session = session;
    this.#log = log;
    this.#timer = setInterval(() => void this.tick(), periodMs);
    this.#timer.unref();
    this.#unlisten = registry.listen({
      onState: (_number, { id, phase }) =>
        phase === 'running' ? this.#hasStarted(id) : this.#forget(id),
      onDeleted: (id) => this.#forget(id),
      onPull: () => {},
      onPut: () => {},
      onTunnel: () => {},
    });
  }

  /** Measures all jobs now; skipped while the previous round is running. */
  async tick(): Promise<void> {
    const session = this.#session();
    if (this.#busy || !session) return;
    this.#busy = true;
    try {
      const running = this.#registry.jobs.filter((job) => job.phase === 'running');
      for (const job of running) await this.#report(job, session);
    } catch (error) {
      this.#log.error('metrics failed', error);
    } finally {
      this.#busy = false;
    }
  }

  close(): void {
    this.#unlisten();
    clearInterval(this.#timer);
    for (const id of [...this.#started.keys()]) this.#forget(id);
  }

  #hasStarted(id: string): void {
    if (this.#started.has(id)) return;
    const timers = AFTER_START_MS.map((ms) => setTimeout(() => void this.#first(id), ms).unref());
    this.#started.set(id, timers);
  }

  #forget(id: string): void {
    for (const timer of this.#started.get(id) ?? []) clearTimeout(timer);
    this.#started.delete(id);
  }

  async #first(id: string): Promise<void> {
    const session = this.#session();
    const job = this.#registry.jobs.find((one) => one.id === id);
    if (!session || job?.phase !== 'running') return;
    await this.#sendUsage(job, session).catch((error) => this.#log.error('metrics failed', error));
  }

  async #report(job: AgentJob, session: StreamSession): Promise<void> {
    await this.#sendUsage(job, session);
    if (!job.reach.access) return;
    const since = job.reach.lastActivity() ?? job.reach.observedSince;
    const seconds = Math.max(0, Math.floor((monotonicMs() - since) / 1000));
    session.sendNow({ type: 'activity', id: job.id, no_connections_secs: seconds });
  }

  async #sendUsage(job: AgentJob, session: StreamSession): Promise<void> {
    const usage = await job.execution?.usage();
    if (usage) {
      const gpus = await gpuUsage(job.record.gpus);
      session.sendNow({ type: 'metrics', id: job.id, metrics: { ...usage, gpus } });
    }
  }
}
