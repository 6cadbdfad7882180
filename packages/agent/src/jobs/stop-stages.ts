import type { StopStage } from '@dstack/contract/agent';
import type { Execution } from '../executor/executor.ts';
import type { EventLogger } from '../host/log.ts';
import { isLive } from './job-phase.ts';
import { LongTimer } from './long-timer.ts';
import type { RecordedState } from './recorded-state.ts';
import { stopStage } from './stop-plan.ts';

/** Carries out the stages of a requested stop, each at its time. */
export class StopStages {
  readonly #state: RecordedState;
  readonly #log: EventLogger;
  readonly #timer = new LongTimer();
  #done: StopStage | null = null;

  constructor(state: RecordedState, log: EventLogger) {
    this.#state = state;
    this.#log = log;
  }

  /** Carries out the present stage, and schedules the next one. */
  pursue(execution: Execution | null): void {
    const { stop, spec } = this.#state.record;
    if (!stop || !execution || !isLive(this.#state.phase)) return;
    const { stage, nextAt } = stopStage(stop, spec, Date.now());
    if (nextAt === null) this.#timer.clear();
    else this.#timer.set(nextAt, () => this.pursue(execution));
    if (this.#done !== stage) this.#state.change({ stop_stage: stage });
    else if (stage !== 'kill') return;
    this.#done = stage;
    const act = {
      interrupt: () => execution.interrupt(),
      terminate: () => execution.terminate(),
      kill: () => execution.kill(),
    };
    act[stage]().catch((error) => this.#log.error('stop failed', error, { stage }));
  }

  /** Ends the schedule. */
  clear(): void {
    this.#timer.clear();
  }
}
