import { isJobPulling } from '@dstack/contract/status';
import type { ImagePullProgress, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { currentSubmission } from './run-status.ts';

/** How far the pull of an image is. */
export interface PullState {
  readonly downloaded_bytes: number;
  readonly extracted_bytes: number;
  readonly total_bytes: number;
  /** Null until two reports are known. */
  readonly bytes_per_second: number | null;
  /** Null while the size or the speed is unknown. */
  readonly eta_seconds: number | null;
}

/** Speed is measured over the reports of this time. */
const WINDOW_MS = 10_000;

/** Measures the speed of a pull from its reports. */
export class PullRate {
  #reports: { readonly at: number; readonly bytes: number }[] = [];

  /** `now` in milliseconds. */
  add(progress: ImagePullProgress, now: number): PullState {
    const bytes = progress.downloaded_bytes;
    const newest = this.#reports.at(-1);
    // An image that is pulled again starts at zero.
    if (newest !== undefined && bytes < newest.bytes) this.#reports = [];
    if (newest?.bytes !== bytes) this.#reports.push({ at: now, bytes });
    this.#reports = this.#reports.filter(
      ({ at }, i) => now - at <= WINDOW_MS || i >= this.#reports.length - 2,
    );
    const speed = this.#speed(now);
    const left = progress.total_bytes - bytes;
    const isKnown = progress.is_total_bytes_final && speed !== null && speed > 0;
    return {
      downloaded_bytes: bytes,
      extracted_bytes: progress.extracted_bytes,
      total_bytes: progress.total_bytes,
      bytes_per_second: speed === null ? null : Math.round(speed),
      eta_seconds: isKnown ? Math.ceil(Math.max(0, left) / speed) : null,
    };
  }

  #speed(now: number): number | null {
    const [first] = this.#reports;
    const last = this.#reports.at(-1);
    if (first === undefined || last === undefined || first === last) return null;
    return ((last.bytes - first.bytes) * 1000) / Math.max(1, now - first.at);
  }
}

/** The report of the first job whose image is being pulled; null if there is none. */
export function pullOf(run: Run): ImagePullProgress | null {
  for (const job of run.jobs) {
    const submission = currentSubmission(job);
    if (submission && isJobPulling(submission.status)) {
      return submission.image_pull_progress ?? null;
    }
  }
  return null;
}

export function isPulling(run: Run): boolean {
  return run.jobs.some((job) => {
    const submission = currentSubmission(job);
    return submission !== undefined && isJobPulling(submission.status);
  });
}

const POLL_MS = 1000;

/** Requests a run again and again while it pulls: reports of a pull are no changes of the run. */
export class PullReports {
  readonly #connection: Connection;
  readonly #cli: Cli;
  readonly #report: (run: Run) => void;
  #polling: AbortController | null = null;

  constructor(connection: Connection, cli: Cli, report: (run: Run) => void) {
    this.#connection = connection;
    this.#cli = cli;
    this.#report = report;
  }

  follow(run: Run): void {
    if (!isPulling(run)) this.stop();
    else if (this.#polling === null) {
      this.#polling = new AbortController();
      void this.#poll(run.run_spec.run_name ?? '', this.#polling.signal);
    }
  }

  stop(): void {
    this.#polling?.abort();
    this.#polling = null;
  }

  async #poll(name: string, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#cli.wait(POLL_MS, signal);
        const run = await this.#connection.project.runs.get({ run_name: name });
        if (signal.aborted) return;
        if (isPulling(run)) this.#report(run);
      }
    } catch {
      // Stopped, or the server does not answer; the stream of the run reports that.
    }
  }
}
