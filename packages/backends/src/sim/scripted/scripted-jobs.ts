import { acceptedJob, type JobState, type StopJob } from '@dstack/contract/agent';

/** The parameters of a scripted job, from its environment. */
export interface JobScript {
  readonly id: string;
  readonly runName: string;
  /** Waits for its start (a cluster). */
  readonly hold: boolean;
  /** `SIM_SECONDS`: how long it runs; null = until it is stopped. */
  readonly seconds: number | null;
  /** `SIM_EXIT_STATUS`. */
  readonly status: number;
}

/** Calls back after this many seconds. */
export type Later = (seconds: number, then: () => void) => void;

export interface ScriptedJobListener {
  /** Numbered over the life of the agent. */
  onState(n: number, state: JobState): void;
}

interface Job {
  readonly script: JobScript;
  readonly output: Buffer;
  state: JobState;
}

/** Exit codes of a shell that a signal ends: SIGINT and SIGKILL. */
const INTERRUPTED = 130;
const KILLED = 137;

/** The jobs of a scripted agent: they print one line, and end after their time. */
export class ScriptedJobs {
  listener: ScriptedJobListener | null = null;
  /** The number of the newest state. */
  last = 0;
  readonly #machine: string;
  readonly #later: Later;
  readonly #jobs = new Map<string, Job>();

  constructor(machine: string, later: Later) {
    this.#machine = machine;
    this.#later = later;
  }

  get states(): readonly JobState[] {
    return [...this.#jobs.values()].map(({ state }) => state);
  }

  state(id: string): JobState | null {
    return this.#jobs.get(id)?.state ?? null;
  }

  /** The output from this offset on. */
  output(id: string, offset: number): Buffer {
    const job = this.#jobs.get(id);
    return job ? job.output.subarray(offset, job.state.log_end) : Buffer.alloc(0);
  }

  put(script: JobScript): JobState {
    const known = this.state(script.id);
    if (known) return known;
    const { id, runName, hold } = script;
    const output = Buffer.from(`${runName} runs on ${this.#machine}\n`);
    this.#jobs.set(id, { script, output, state: acceptedJob(id) });
    if (hold) this.#move(id, { phase: 'held' });
    else this.#later(0, () => this.start(id));
    return this.state(id) ?? acceptedJob(id);
  }

  start(id: string): JobState | null {
    const job = this.#jobs.get(id);
    if (!job || job.state.phase === 'running' || job.state.phase === 'exited')
      return this.state(id);
    this.#move(id, { phase: 'running', working_dir: '/', log_end: job.output.length });
    const { seconds, status } = job.script;
    if (seconds !== null) this.#later(seconds, () => this.#exit(id, { status, reason: null }));
    return this.state(id);
  }

  stop(id: string, { grace, reason }: Pick<StopJob, 'grace' | 'reason'>): JobState | null {
    this.#exit(id, { status: grace ? INTERRUPTED : KILLED, reason });
    return this.state(id);
  }

  remove(id: string): 'removed' | 'alive' {
    const phase = this.state(id)?.phase ?? 'exited';
    if (phase !== 'exited') return 'alive';
    this.#jobs.delete(id);
    return 'removed';
  }

  #exit(id: string, how: { readonly status: number; readonly reason: string | null }): void {
    if ((this.state(id)?.phase ?? 'exited') === 'exited') return;
    this.#move(id, { phase: 'exited', exit: { ...how, message: null } });
  }

  #move(id: string, change: Partial<JobState>): void {
    const job = this.#jobs.get(id);
    if (!job) return;
    job.state = { ...job.state, ...change, seq: job.state.seq + 1 };
    this.last += 1;
    this.listener?.onState(this.last, job.state);
  }
}
