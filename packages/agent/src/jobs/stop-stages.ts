import type { StopStage } from '@dstack/contract/agent';
import type { Execution } from '../executor/executor.ts';
import type { EventLogger } from '../host/log.ts';
import { DurationTimer } from './duration-timer.ts';
import { isLive } from './job-phase.ts';
import type { RecordedState } from './recorded-state.ts';
import { type StopRequest, stopStage } from './stop-plan.ts';

/** Carries out the stages of a requested stop, each at its time. */
export class StopStages {
  readonly #state: RecordedState;
  readonly #log: EventLogger;
  readonly #timer = new DurationTimer();
  #done: StopStage | null = null;
  #begun: { readonly requestedAt: number; readonly at: number } | null = null;

  constructor(state: RecordedState, log: EventLogger) {
    this.#state = state;
    this.#log = log;
  }

  /** Carries out the present stage, and schedules the next one. */
  pursue(execution: Execution | null): void {
    const { stop, spec } = this.#state.record;
    if (!stop || !execution || !isLive(this.#state.phase)) return;
    const now = this.#now(stop);
    const { stage, nextAt } = stopStage(stop, spec, now);
    if (nextAt === null) this.#timer.clear();
    else this.#timer.set(nextAt - now, () => this.pursue(execution));
    if (this.#done !== stage) {
      this.#state.change({ stop_stage: stage, stop_reason: stop.reason });
    }
    if (this.#done === stage && stage !== 'kill') return;
    this.#done = stage;
    const act = {
      interrupt: () => execution.interrupt(),
      terminate: () => execution.terminate(),
      kill: () => execution.kill(),
    };
    act[stage]().catch((error) => this.#log.error('stop failed', error, { stage }));
  }

  /**
   * The time of the stop's plan: that of the request, and what has passed since. The wall clock is read once,
   * for a request to an earlier agent.
   */
  #now({ requestedAt }: StopRequest): number {
    if (this.#begun?.requestedAt !== requestedAt) {
      const passed = Math.max(0, Date.now() - requestedAt);
      this.#begun = { requestedAt, at: performance.now() - passed };
    }
    return requestedAt + performance.now() - this.#begun.at;
  }

  /** Ends the schedule. */
  clear(): void {
    this.#timer.clear();
  }
}
