import type { HostCheck } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { EventLogger } from '../log.ts';
import type { Check } from './check.ts';
import {
  afterRun,
  type CheckOutcome,
  type CheckState,
  firstState,
  hurried,
} from './health-schedule.ts';

export interface HealthWatchOptions {
  readonly checks: readonly Check[];
  /** Called with all results when one has changed, and from time to time. */
  readonly report: (checks: readonly HostCheck[]) => void;
  /** Milliseconds between two reports of unchanged results. */
  readonly repeatMs: number;
  /** Milliseconds that a run may take. */
  readonly deadlineMs?: number;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
  readonly log: EventLogger;
}

/** Longer than the limit of any tool, which is killed at its own. */
const DEADLINE_MS = 60_000;

/** Runs the checks of the host on a schedule, one at a time. */
export class HealthWatch {
  readonly #options: HealthWatchOptions;
  readonly #now: () => number;
  readonly #states: Map<Check, CheckState>;
  /** Checks whose run has not ended, perhaps after its deadline; they are not started again. */
  readonly #unfinished = new Set<Check>();
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #closed = false;
  #reported: string | null = null;
  #reportedAt = 0;

  constructor(options: HealthWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#states = new Map(options.checks.map((check) => [check, firstState(this.#now())]));
    this.#arm();
  }

  /** The results of all checks; null until each has run once. */
  get results(): readonly HostCheck[] | null {
    const states = [...this.#states];
    if (states.some(([, state]) => state.ranAt === null)) return null;
    return states.flatMap(([{ name }, { finding }]) => (finding ? [{ name, ...finding }] : []));
  }

  /** A problem has occurred on the host: checks run as soon as they may. */
  hurry(): void {
    for (const [check, state] of this.#states) {
      this.#states.set(check, hurried(state, this.#now(), check.periodMs));
    }
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#isRunning || this.#closed) return;
    const next = Math.min(...[...this.#states.values()].map((state) => state.dueAt));
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => void this.#round(), Math.max(0, next - this.#now())).unref();
  }

  async #round(): Promise<void> {
    this.#isRunning = true;
    for (const check of this.#options.checks) {
      const state = this.#states.get(check);
      if (state && state.dueAt <= this.#now() && !this.#closed) await this.#run(check);
    }
    this.#isRunning = false;
    if (this.#closed) return;
    this.#report();
    this.#arm();
  }

  async #run(check: Check): Promise<void> {
    const begun = this.#now();
    const outcome = await this.#outcome(check);
    const endedAt = this.#now();
    const tookMs = check.isCheap ? 0 : endedAt - begun;
    const run = { endedAt, tookMs, periodMs: check.periodMs };
    const state = this.#states.get(check) ?? firstState(endedAt);
    this.#states.set(check, afterRun(state, outcome, run));
  }

  async #outcome(check: Check): Promise<CheckOutcome> {
    const late: CheckOutcome = { kind: 'incomplete', problem: 'it does not end' };
    if (this.#unfinished.has(check)) return late;
    const deadlineMs = this.#options.deadlineMs ?? DEADLINE_MS;
    const run = check.run().then(
      (finding): CheckOutcome => ({ kind: 'complete', finding }),
      (error): CheckOutcome => {
        this.#options.log.error('health check failed', error, { check: check.name });
        return { kind: 'incomplete', problem: errorMessage(error) };
      },
    );
    this.#unfinished.add(check);
    const ended = run.finally(() => this.#unfinished.delete(check));
    return await withTimeout(() => ended, { ms: deadlineMs, onTimeout: () => late });
  }

  #report(): void {
    const { results } = this;
    if (results === null) return;
    const text = JSON.stringify(results);
    if (text === this.#reported && this.#now() < this.#reportedAt + this.#options.repeatMs) return;
    this.#reported = text;
    this.#reportedAt = this.#now();
    this.#options.report(results);
  }
}
