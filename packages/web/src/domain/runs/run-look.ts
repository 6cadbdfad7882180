import {
  isJobPulling,
  isRunDone,
  isRunFailed,
  isRunFinished,
  isRunPending,
  isRunRunning,
  isRunSubmitted,
  isRunTerminating,
  type JobStatus,
  type RunStatus,
} from '@dstack/contract/status';
import type { StatusLook } from '../../ui/status/status-badge.tsx';

export interface RunState {
  readonly status: RunStatus;
  readonly jobStatus: JobStatus | null;
  readonly statusMessage: string;
  readonly terminationReason: string | null;
  readonly nextStartAt: string | null;
}

/** How the status of a run is shown in lists and headers. */
export function runLook(run: RunState): StatusLook {
  const text = capitalised(run.statusMessage || run.status);
  const { status, terminationReason } = run;
  if (isRunFinished(status)) return finishedLook(status, terminationReason, text);
  if (isRunTerminating(status)) return { tone: 'stopped', icon: 'progress', text };
  if (text.endsWith('(unreachable)')) return { tone: 'warning', icon: 'warning', text };
  if (isRunRunning(status)) return { tone: 'running', icon: 'active', text };
  if (isRunPending(status)) {
    const scheduled = run.nextStartAt !== null;
    return { tone: 'queued', icon: scheduled ? 'scheduled' : 'waiting', text };
  }
  if (isRunSubmitted(status)) return { tone: 'queued', icon: 'waiting', text };
  const pulling = run.jobStatus !== null && isJobPulling(run.jobStatus);
  return { tone: 'starting', icon: 'progress', text: pulling ? 'Pulling' : text };
}

function finishedLook(status: RunStatus, reason: string | null, text: string): StatusLook {
  if (isRunDone(status)) return { tone: 'done', icon: 'ok', text };
  // Also where there was no instance for it: amber is for what may still become good.
  if (isRunFailed(status)) return { tone: 'failed', icon: 'failed', text };
  const aborted = reason === 'aborted_by_user';
  return { tone: 'stopped', icon: 'stopped', text: aborted ? 'Aborted' : text };
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
