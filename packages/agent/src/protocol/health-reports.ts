import type { AgentFrame, HostCheck, HostGpu } from '@dstack/contract/agent';
import { nowMicros } from '../host/clock.ts';
import type { Check } from '../host/health/check.ts';
import type { HealthWatch } from '../host/health/health-watch.ts';
import { watchHealth } from '../host/health/host-health.ts';
import type { EventLogger } from '../host/log.ts';
import type { JobRegistry } from '../jobs/registry.ts';
import type { StreamSession } from './stream-session.ts';

export interface HealthReportsOptions {
  /** Null: nothing is checked or reported. */
  readonly periodMs: number | null;
  readonly gpus: readonly HostGpu[];
  /** The disks of images and jobs. */
  readonly paths: readonly string[];
  /** Whether the executor can start jobs. */
  readonly executor: Check['run'];
  readonly registry: JobRegistry;
  readonly session: () => StreamSession | null;
  readonly log: EventLogger;
}

/** Checks the host's health and reports it to the server. */
export class HealthReports {
  readonly #watch: HealthWatch | null = null;
  readonly #unlisten: () => void;

  constructor({ periodMs, registry, session, ...host }: HealthReportsOptions) {
    if (periodMs !== null) {
      const report = (checks: readonly HostCheck[]) => session()?.sendNow(frameOf(checks));
      this.#watch = watchHealth({ ...host, periodMs, report });
    }
    this.#unlisten = registry.listen({
      // A job that fails is often the first sign of a broken GPU.
      onState: (_number, { phase, exit }) => {
        if (phase === 'exited' && exit?.status !== 0) this.#watch?.hurry();
      },
      onDeleted: () => {},
      onPull: () => {},
      onPut: () => {},
      onTunnel: () => {},
    });
  }

  /**
   * The newest results, which are sent to a server that has just connected; null before the first
   * ones.
   */
  get frame(): (AgentFrame & { type: 'health' }) | null {
    const checks = this.#watch?.results ?? null;
    return checks && frameOf(checks);
  }

  close(): void {
    this.#unlisten();
    this.#watch?.close();
  }
}

function frameOf(checks: readonly HostCheck[]): AgentFrame & { type: 'health' } {
  return { type: 'health', time: nowMicros(), checks };
}
