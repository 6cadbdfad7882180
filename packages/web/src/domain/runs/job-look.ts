import {
  isJobDone,
  isJobFailed,
  isJobFinished,
  isJobRunning,
  isJobSubmitted,
  isJobTerminating,
  type JobStatus,
} from '@dstack/contract/status';
import type { StatusLook } from '../../ui/status/status-badge.tsx';

/** How the status of a job is shown. */
export function jobLook(status: JobStatus, message: string): StatusLook {
  const word = message || status;
  const text = word.charAt(0).toUpperCase() + word.slice(1);
  if (isJobDone(status)) return { tone: 'done', icon: 'ok', text };
  if (isJobFailed(status)) return { tone: 'failed', icon: 'failed', text };
  if (isJobFinished(status)) return { tone: 'stopped', icon: 'stopped', text };
  if (isJobTerminating(status)) return { tone: 'stopped', icon: 'progress', text };
  if (isJobRunning(status)) {
    const isReachable = !text.endsWith('(unreachable)');
    return isReachable
      ? { tone: 'running', icon: 'active', text }
      : { tone: 'warning', icon: 'warning', text };
  }
  if (isJobSubmitted(status)) return { tone: 'queued', icon: 'waiting', text };
  return { tone: 'starting', icon: 'progress', text };
}
