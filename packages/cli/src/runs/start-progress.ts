import { isJobFinished, isJobPulling, isRunPending, isRunSubmitted } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Cli } from '../context.ts';
import { localDateTime } from '../format/time.ts';
import { LiveBlock } from '../terminal/live.ts';
import { hangingText } from '../terminal/text-width.ts';
import { currentSubmission, jobStatusText, runStatusText, scheduledStart } from './run-status.ts';
import { renderRunTable } from './run-table.ts';

/**
 * Shows how a run starts: a live table on a terminal, otherwise one line with the time for each
 * change of status.
 */
export class StartProgress {
  readonly #cli: Cli;
  readonly #block: LiveBlock;
  #last = '';
  #run: { readonly run: Run; readonly seen: string | null } | null = null;
  #reason: string | null = null;

  constructor(cli: Cli) {
    this.#cli = cli;
    this.#block = new LiveBlock(cli.io);
  }

  /** `seen`: the submission that was already followed to its end. */
  show(run: Run, seen: string | null): void {
    this.#run = { run, seen };
    const { io } = this.#cli;
    const name = io.paintErr('code', run.run_spec.run_name ?? '');
    const { title, detail } = waitingFor(run, seen);
    if (!this.#block.active) {
      const line = `${run.run_spec.run_name}: ${plainStatus(run)}`;
      if (line === this.#last) return;
      this.#last = line;
      io.info(`[${localDateTime(new Date(this.#cli.now()).toISOString()).slice(11)}] ${line}`);
      if (detail) io.info(detail);
      return;
    }
    const layout = { width: io.errWidth, paint: io.paintErr };
    const table = renderRunTable([run], { verbose: false, now: this.#cli.now(), layout });
    const below = [detail, this.#reason ?? '']
      .filter((text) => text !== '')
      .map((text) => hangingText(text, 0, io.errWidth));
    this.#block.show(`${title} ${name}...`, [table, ...below.map((text) => `${text}\n`)].join(''));
  }

  /** Sets the reason for waiting, one line; null removes it. */
  explain(reason: string | null): void {
    if (reason === this.#reason) return;
    this.#reason = reason;
    if (this.#block.active && this.#run) this.show(this.#run.run, this.#run.seen);
    else if (reason !== null) this.#cli.io.info(reason);
  }

  stop(): void {
    this.#block.stop();
  }
}

/** Leaves out byte counts of a pull, which would print a line for each progress report. */
function plainStatus(run: Run): string {
  const only = run.jobs.length === 1 ? run.jobs[0] : undefined;
  const submission = only && currentSubmission(only);
  if (!submission || isRunPending(run.status)) return runStatusText(run).text;
  return isJobPulling(submission.status) ? 'pulling' : jobStatusText(submission).text;
}

function waitingFor(run: Run, seen: string | null): { title: string; detail: string } {
  const next = scheduledStart(run);
  if (next !== null) {
    return { title: 'Waiting for the schedule of', detail: `Next run: ${next}` };
  }
  const live = run.jobs.some((job) => {
    const submission = currentSubmission(job);
    return submission !== undefined && !isJobFinished(submission.status);
  });
  const isWaiting = isRunSubmitted(run.status) || isRunPending(run.status);
  if (run.service && !live && isWaiting) {
    return { title: 'Waiting for requests to', detail: run.service.url };
  }
  return { title: seen === null ? 'Launching' : 'Waiting for the end of', detail: '' };
}
