import {
  isJobFinished,
  isJobProvisioning,
  isJobPulling,
  isJobRunning,
  isJobSubmitted,
  isJobTerminating,
  JOB_STATUSES,
  type JobStatus,
} from '@dstack/contract/status';
import type { Event, Job } from '@dstack/contract/wire';
import type { Tone } from '../../ui/status/tone.ts';

export type Phase = 'queued' | 'provisioning' | 'pulling' | 'running' | 'ending';

export interface TimelineSegment {
  readonly phase: Phase;
  /** ms */
  readonly from: number;
  /** ms; null: it goes on. */
  readonly to: number | null;
}

/** The life of one submission of a job. */
export interface TimelineRow {
  readonly job: string;
  /** From 1. */
  readonly attempt: number;
  readonly submissionId: string;
  readonly segments: readonly TimelineSegment[];
  /** How it ended; null: it has not. */
  readonly outcome: { readonly status: JobStatus; readonly text: string } | null;
  readonly pull: Pull | null;
}

export interface Pull {
  readonly done: number;
  readonly total: number;
  readonly isTotalFinal: boolean;
}

type RunSubmission = Job['job_submissions'][number];

export const PHASE_LOOKS: Readonly<Record<Phase, { readonly label: string; readonly tone: Tone }>> =
  {
    queued: { label: 'Queued', tone: 'queued' },
    provisioning: { label: 'Provisioning', tone: 'starting' },
    pulling: { label: 'Pulling the image', tone: 'warning' },
    running: { label: 'Running', tone: 'running' },
    ending: { label: 'Ending', tone: 'stopped' },
  };

/** One row for each submission, jobs in their order, attempts oldest first. */
export function timelineOf(jobs: readonly Job[], events: readonly Event[]): readonly TimelineRow[] {
  const changes = statusChanges(events);
  return jobs.flatMap(({ job_spec, job_submissions }) =>
    job_submissions.map((submission) => ({
      job: job_spec.job_name,
      attempt: submission.submission_num + 1,
      submissionId: submission.id,
      segments: segmentsOf(submission, changes.get(submission.id) ?? []),
      outcome: isJobFinished(submission.status)
        ? { status: submission.status, text: submission.status_message || submission.status }
        : null,
      pull: pullOf(submission),
    })),
  );
}

/** When the submission began to run, in ms; without events that say so, when it was submitted. */
export function startOfRunning(submission: RunSubmission, events: readonly Event[]): number {
  const changes = statusChanges(events).get(submission.id) ?? [];
  const begun = changes.find(({ to }) => isJobRunning(to));
  return begun?.at ?? Date.parse(submission.submitted_at);
}

interface StatusChange {
  readonly at: number;
  readonly to: JobStatus;
}

const CHANGE = /^Job status changed [A-Z]+ -> ([A-Z]+)/;

/** The status changes of each submission, oldest first. */
function statusChanges(events: readonly Event[]): Map<string, StatusChange[]> {
  const changes = new Map<string, StatusChange[]>();
  for (const { message, recorded_at, targets } of events) {
    const word = CHANGE.exec(message)?.[1]?.toLowerCase();
    const to = JOB_STATUSES.find((status) => status === word);
    const id = targets.find(({ type }) => type === 'job')?.id;
    if (to === undefined || id === undefined) continue;
    const list = changes.get(id) ?? [];
    list.push({ at: Date.parse(recorded_at), to });
    changes.set(id, list);
  }
  for (const list of changes.values()) list.sort((a, b) => a.at - b.at);
  return changes;
}

/** Servers may keep no events: then only the beginning, the end and the present phase are known. */
function segmentsOf(
  submission: RunSubmission,
  changes: readonly StatusChange[],
): TimelineSegment[] {
  const end = submission.finished_at === null ? null : Date.parse(submission.finished_at);
  const start = Date.parse(submission.submitted_at);
  const segments: { phase: Phase; from: number; to: number | null }[] = [
    { phase: 'queued', from: start, to: null },
  ];
  const known =
    changes.length > 0 || isJobFinished(submission.status)
      ? changes
      : [{ at: Date.parse(submission.last_processed_at), to: submission.status }];
  for (const { at, to } of known) {
    const phase = phaseOf(to);
    const last = segments.at(-1);
    if (last) last.to = Math.max(last.from, at);
    if (phase === null) break;
    if (last?.phase === phase) last.to = null;
    else segments.push({ phase, from: at, to: null });
  }
  const last = segments.at(-1);
  if (last && end !== null) last.to = Math.max(last.from, end);
  return segments;
}

function phaseOf(status: JobStatus): Phase | null {
  if (isJobSubmitted(status)) return 'queued';
  if (isJobProvisioning(status)) return 'provisioning';
  if (isJobPulling(status)) return 'pulling';
  if (isJobRunning(status)) return 'running';
  if (isJobTerminating(status)) return 'ending';
  return null;
}

function pullOf({ image_pull_progress: progress, status }: RunSubmission): Pull | null {
  if (!progress || !isJobPulling(status)) return null;
  return {
    done: progress.downloaded_bytes,
    total: progress.total_bytes,
    isTotalFinal: progress.is_total_bytes_final,
  };
}
