import { isJobFinished } from '@dstack/contract/status';
import type { Run, SubmissionNotice } from '@dstack/contract/wire';

/** Jobs that have to leave their instances for the same reason. */
export interface RunNotice extends SubmissionNotice {
  readonly jobs: readonly string[];
}

/** The notices of the jobs that are still there, the first end first. */
export function runNotices({ jobs }: Pick<Run, 'jobs'>): readonly RunNotice[] {
  const notices = new Map<string, RunNotice>();
  for (const { job_spec, job_submissions } of jobs) {
    const latest = job_submissions.at(-1);
    if (latest?.notice === undefined || isJobFinished(latest.status)) continue;
    const { message, interrupt_at, ends_at } = latest.notice;
    const known = notices.get(message);
    notices.set(message, {
      message,
      interrupt_at: earlier(known?.interrupt_at, interrupt_at),
      ends_at: earlier(known?.ends_at, ends_at),
      jobs: [...(known?.jobs ?? []), job_spec.job_name],
    });
  }
  return [...notices.values()].sort((a, b) => Date.parse(a.ends_at) - Date.parse(b.ends_at));
}

const earlier = (a: string | undefined, b: string): string =>
  a !== undefined && Date.parse(a) < Date.parse(b) ? a : b;
