import {
  isJobFinished,
  isJobPulling,
  isRunFinished,
  isRunPending,
  isRunRunning,
  isRunSubmitted,
} from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Cli } from '../context.ts';
import { durationInUnits, utcClock } from '../format/time.ts';
import { bytesText } from '../format/values.ts';
import { LiveBlock } from '../terminal/live.ts';
import { hangingText } from '../terminal/text-width.ts';
import { PullRate, type PullState, pullOf } from './pull-progress.ts';
import { currentSubmission, jobStatusText, runStatusText, scheduledStart } from './run-status.ts';
import { renderRunTable } from './run-table.ts';

/** One line of `--json` while a run starts. */
export interface ProgressLine {
  readonly type: 'progress';
  readonly run: string;
  readonly phase: string;
  /** Seconds since the submission. */
  readonly elapsed: number;
  readonly pull: PullState | null;
  /** Why the run waits. */
  readonly reason: string | null;
}

/**
 * Shows how a run starts: a live block on a terminal, otherwise one line with the time for each
 * change of status; with `json` one JSON document for each change, on stdout.
 */
export class StartProgress {
  readonly #cli: Cli;
  readonly #block: LiveBlock;
  readonly #json: boolean;
  readonly #rate = new PullRate();
  #last = '';
  #shown: { readonly run: Run; readonly seen: string | null } | null = null;
  #pull: PullState | null = null;
  #reason: string | null = null;

  constructor(cli: Cli, { json = false }: { json?: boolean } = {}) {
    this.#cli = cli;
    this.#json = json;
    this.#block = new LiveBlock(cli.io);
  }

  /** `seen`: the submission that was already followed to its end. */
  show(run: Run, seen: string | null): void {
    this.#shown = { run, seen };
    const progress = pullOf(run);
    this.#pull = progress === null ? null : this.#rate.add(progress, this.#cli.now());
    if (this.#json) this.#printJson(run);
    else if (this.#block.active) this.#draw(run, seen);
    else this.#printLine(run, seen);
  }

  /** Sets the reason for waiting, one line; null removes it. */
  explain(reason: string | null): void {
    if (reason === this.#reason) return;
    this.#reason = reason;
    if (this.#shown && (this.#json || this.#block.active)) {
      this.show(this.#shown.run, this.#shown.seen);
    } else if (reason !== null) this.#cli.io.info(reason);
  }

  stop(): void {
    this.#block.stop();
  }

  #draw(run: Run, seen: string | null): void {
    const { io } = this.#cli;
    const { title, detail } = waitingFor(run, seen);
    const name = io.paintErr('code', run.run_spec.run_name ?? '');
    const layout = { width: io.errWidth, paint: io.paintErr };
    const table = renderRunTable([run], { verbose: false, now: this.#cli.now(), layout });
    const below = [detail, this.#pull === null ? '' : pullText(this.#pull), this.#reason ?? '']
      .filter((text) => text !== '')
      .map((text) => hangingText(text, 0, io.errWidth));
    const head = () => `${title} ${name}... ${durationInUnits(this.#elapsed(run))}`;
    this.#block.show(head, [table, ...below.map((text) => `${text}\n`)].join(''));
  }

  #printLine(run: Run, seen: string | null): void {
    const { io, now } = this.#cli;
    const line = `${run.run_spec.run_name}: ${plainStatus(run)}`;
    if (line === this.#last) return;
    this.#last = line;
    io.info(`[${utcClock(new Date(now()).toISOString(), 'second')}] ${line}`);
    const { detail } = waitingFor(run, seen);
    if (detail) io.info(detail);
  }

  /** The result of a run that has ended follows as another document. */
  #printJson(run: Run): void {
    if (isRunFinished(run.status)) return;
    const state = {
      type: 'progress',
      run: run.run_spec.run_name ?? '',
      phase: plainStatus(run),
      pull: this.#pull,
      reason: this.#reason,
    } as const;
    const text = JSON.stringify(state);
    if (text === this.#last) return;
    this.#last = text;
    const line: ProgressLine = { ...state, elapsed: this.#elapsed(run) };
    this.#cli.io.json(line);
  }

  #elapsed(run: Run): number {
    return Math.max(0, Math.round((this.#cli.now() - Date.parse(run.submitted_at)) / 1000));
  }
}

/** `Pulling the image: 3.1 of 8.2 GB, 85 MB/s, 1m left`. */
function pullText(pull: PullState): string {
  const { downloaded_bytes, extracted_bytes, total_bytes, bytes_per_second, eta_seconds } = pull;
  const isDownloaded = total_bytes > 0 && downloaded_bytes >= total_bytes;
  if (isDownloaded) {
    return `Extracting the image: ${bytesText(extracted_bytes)} of ${bytesText(total_bytes)}`;
  }
  const parts = [
    `Pulling the image: ${bytesText(downloaded_bytes)} of ${bytesText(total_bytes)}`,
    ...(bytes_per_second ? [`${bytesText(bytes_per_second)}/s`] : []),
    ...(eta_seconds === null ? [] : [`${durationInUnits(eta_seconds)} left`]),
  ];
  return parts.join(', ');
}

/** Leaves out counts of bytes, which would print a line for each progress report. */
function plainStatus(run: Run): string {
  const only = run.jobs.length === 1 && !run.array ? run.jobs[0] : undefined;
  const submission = only && currentSubmission(only);
  if (submission && !isRunPending(run.status) && isJobPulling(submission.status)) return 'pulling';
  const { text } =
    submission && !isRunPending(run.status) ? jobStatusText(submission) : runStatusText(run);
  return text.replace(STAGE_AMOUNT, '');
}

/** How much of the agent a new machine has: `… (43 of 68 MB)`. */
const STAGE_AMOUNT = / \(\d+ of \d+ MB\)/;

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
  const isLaunching = seen === null && !isRunRunning(run.status);
  return { title: isLaunching ? 'Launching' : 'Waiting for the end of', detail: '' };
}
