import type { JobPhase, JobState } from '@dstack/contract/agent';
import { writeDurably, writeWhole } from '../host/durable-file.ts';
import type { EventLogger } from '../host/log.ts';
import { isBeforeStart, mayPhaseFollow } from './job-phase.ts';
import type { AgentJobRecord } from './job-record.ts';

export interface RecordedStateOptions {
  /** Path of the record. */
  readonly path: string;
  readonly log: EventLogger;
  /** Bytes of output so far. */
  readonly logEnd: () => number;
  /** The next number for a `state` frame. */
  readonly nextNumber: () => number;
  /** Called after a state is durable. */
  readonly onState: (number: number, state: JobState) => void;
}

/**
 * The record of a job. Each change of the job's state is written to it before it is reported, so that
 * a successor of this process continues from there.
 */
export class RecordedState {
  readonly #options: RecordedStateOptions;
  #record: AgentJobRecord;

  constructor(record: AgentJobRecord, options: RecordedStateOptions) {
    this.#record = record;
    this.#options = options;
  }

  get record(): AgentJobRecord {
    return this.#record;
  }

  get phase(): JobPhase {
    return this.#record.state.phase;
  }

  /** Moves on to a phase; does nothing if it may not follow the present one. */
  advance(
    phase: JobPhase,
    state: Partial<JobState> = {},
    record: Partial<AgentJobRecord> = {},
  ): void {
    if (!mayPhaseFollow(this.phase, phase)) return;
    this.#options.log.info('phase', { phase });
    this.change({ ...state, phase }, record);
  }

  /** Changes the state that servers receive. */
  change(state: Partial<JobState>, record: Partial<AgentJobRecord> = {}): void {
    const { logEnd, nextNumber, onState } = this.#options;
    const before = this.#record.state;
    const next = { ...before, log_end: logEnd(), ...state, seq: before.seq + 1 };
    const number = nextNumber();
    this.save({ ...record, state: next, stateNumber: number });
    onState(number, next);
  }

  /** Changes the rest of the record. */
  save(change: Partial<AgentJobRecord>): void {
    this.#record = { ...this.#record, ...change };
    // Phases before the start may be repeated after a power cut, since nothing has run yet.
    const write = isBeforeStart(this.phase) && !this.#record.stop ? writeWhole : writeDurably;
    try {
      write(this.#options.path, JSON.stringify(this.#record));
    } catch (error) {
      // On a full disk, a job without a current record is better than no job.
      this.#options.log.error('the record of the job cannot be written', error);
    }
  }
}
