import {
  isJobFinished,
  isJobPulling,
  isJobRunning,
  isJobTerminating,
  isRunPending,
} from '@dstack/contract/status';
import type { Job, JobSubmission, Run } from '@dstack/contract/wire';
import { utcTime } from '../format/time.ts';
import type { Style } from '../terminal/style.ts';
import { rollupText } from './array-text.ts';

/** The submission that counts: the last one. */
export function currentSubmission(job: Job): JobSubmission | undefined {
  return job.job_submissions.at(-1);
}

/** Whether the submission that counts is running. */
export function isRunningNow(job: Job): boolean {
  const submission = currentSubmission(job);
  return submission !== undefined && isJobRunning(submission.status);
}

/** The job with these numbers. */
export function findJob(run: Run, replica: number, job: number): Job | undefined {
  return run.jobs.find(
    (j) => (j.job_spec.replica_num ?? 0) === replica && j.job_spec.job_num === job,
  );
}

/** True once the job has output, or can never have any. */
export function hasStarted(submission: JobSubmission): boolean {
  const { status } = submission;
  return isJobRunning(status) || isJobTerminating(status) || isJobFinished(status);
}

const TEXT_STYLES: Readonly<Record<string, Style>> = {
  'no capacity': 'gold',
  interrupted: 'gold',
  'no fleets': 'bad',
  pulling: 'good-bold',
  stopped: 'secondary',
};

const RUN_STYLES: Readonly<Record<Run['status'], Style>> = {
  pending: 'bold',
  submitted: 'secondary',
  provisioning: 'progress-bold',
  running: 'good-bold',
  terminating: 'progress-bold',
  terminated: 'secondary',
  done: 'secondary',
  failed: 'bad',
};

const JOB_STYLES: Readonly<Record<JobSubmission['status'], Style>> = {
  submitted: 'secondary',
  provisioning: 'progress-bold',
  pulling: 'good-bold',
  running: 'good-bold',
  terminating: 'progress-bold',
  terminated: 'secondary',
  done: 'secondary',
  failed: 'bad',
  aborted: 'gold',
};

export interface StatusText {
  readonly text: string;
  readonly style: Style;
}

/** Includes the time of the next start if the run waits for its schedule; of an array, its members. */
export function runStatusText(run: Run): StatusText {
  const rollup = isRunPending(run.status) ? null : rollupText(run);
  const text = rollup ?? (run.status_message || run.status);
  const style = TEXT_STYLES[text] ?? RUN_STYLES[run.status] ?? 'plain';
  const next = scheduledStart(run);
  return { text: next === null ? text : `${text} (next run ${next})`, style };
}

/** `YYYY-MM-DD HH:MM UTC`, as the `cron` of a schedule is in UTC; null for a run that does not wait for its schedule. */
export function scheduledStart(run: Run): string | null {
  if (!isRunPending(run.status) || !run.next_triggered_at) return null;
  return utcTime(run.next_triggered_at);
}

export function jobStatusText(submission: JobSubmission): StatusText {
  const text = submission.status_message || submission.status;
  const progress = isJobPulling(submission.status) ? pullProgress(submission) : '';
  return {
    text: text + progress,
    style: TEXT_STYLES[text] ?? JOB_STYLES[submission.status] ?? 'plain',
  };
}

// Decimal, as registries count and all other figures of a pull are shown.
const GB = 1e9;
const MB = 1e6;

/** ` <extracted>/<downloaded>/[≥]<total><unit>`, or '' before the first progress report. */
function pullProgress(submission: JobSubmission): string {
  const progress = submission.image_pull_progress;
  if (!progress) return '';
  const inGb = progress.total_bytes >= GB;
  const show = (bytes: number): string =>
    inGb ? (bytes / GB).toFixed(2) : (bytes / MB).toFixed(0);
  const bound = progress.is_total_bytes_final ? '' : '≥';
  const { extracted_bytes: extracted, downloaded_bytes: downloaded } = progress;
  const total = `${bound}${show(progress.total_bytes)}${inGb ? 'GB' : 'MB'}`;
  return ` ${show(extracted)}/${show(downloaded)}/${total}`;
}

/** One glyph per probe of a running job, in groups of five. */
export function probeGlyphs(job: Job): string {
  const submission = currentSubmission(job);
  if (!submission || !isJobRunning(submission.status)) return '';
  const specs = job.job_spec.probes ?? [];
  const glyphs = (submission.probes ?? []).map((probe, i) => {
    if (probe.success_streak === 0) return '×';
    return probe.success_streak >= (specs[i]?.ready_after ?? 1) ? '✓' : '~';
  });
  return (glyphs.join('').match(/.{1,5}/g) ?? []).join(' ');
}
