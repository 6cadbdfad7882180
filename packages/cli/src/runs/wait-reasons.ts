import { isJobProvisioning, isRunPending, isRunSubmitted } from '@dstack/contract/status';
import type { JobSubmission, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { currentSubmission } from './run-status.ts';

/** Reasons are shown only for runs that wait longer than this. */
const MOMENT_MS = 2000;

/** The reason can change while the run does not, so it is requested again after this time. */
const AGAIN_MS = 30_000;

/** Limit of one request. */
const LIMIT_MS = 5000;

/** Whether the run waits for something that an explanation can name: capacity, or a new machine. */
export function isKeptWaiting(run: Run): boolean {
  if (isRunSubmitted(run.status)) return true;
  if (run.jobs.some((job) => isBeingProvisioned(currentSubmission(job)))) return true;
  return isRunPending(run.status) && !run.next_triggered_at;
}

function isBeingProvisioned(submission: JobSubmission | undefined): boolean {
  return submission !== undefined && isJobProvisioning(submission.status);
}

/** One line; null if the server cannot explain. Never fails. */
export async function waitReason(
  connection: Connection,
  name: string,
  signal?: AbortSignal,
): Promise<string | null> {
  try {
    const options = { timeoutMs: LIMIT_MS, ...(signal ? { signal } : {}) };
    const { summary, waiting_for } = await connection.project.explain('runs', name, options);
    return waiting_for === null ? null : summary;
  } catch {
    // The reason is optional, and older servers cannot explain.
    return null;
  }
}

/** Reports why a run waits, after a short delay and whenever the reason changes. */
export class WaitReasons {
  readonly #connection: Connection;
  readonly #cli: Cli;
  readonly #report: (reason: string | null) => void;
  #asking: AbortController | null = null;

  constructor(connection: Connection, cli: Cli, report: (reason: string | null) => void) {
    this.#connection = connection;
    this.#cli = cli;
    this.#report = report;
  }

  follow(run: Run): void {
    if (!isKeptWaiting(run)) {
      if (this.#asking) this.#report(null);
      this.stop();
    } else if (this.#asking === null) {
      this.#asking = new AbortController();
      void this.#ask(run.run_spec.run_name ?? '', this.#asking.signal);
    }
  }

  stop(): void {
    this.#asking?.abort();
    this.#asking = null;
  }

  async #ask(name: string, signal: AbortSignal): Promise<void> {
    let pause = MOMENT_MS;
    try {
      for (;;) {
        await this.#cli.wait(pause, signal);
        const reason = await waitReason(this.#connection, name, signal);
        if (signal.aborted) return;
        this.#report(reason);
        pause = AGAIN_MS;
      }
    } catch {
      // Stopped.
    }
  }
}
