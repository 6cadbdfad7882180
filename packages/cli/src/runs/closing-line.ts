import type { Run } from '@dstack/contract/wire';
import { durationInUnits } from '../format/time.ts';
import { price } from '../format/values.ts';
import type { Paint } from '../terminal/style.ts';
import { currentSubmission } from './run-status.ts';

/**
 * The last line of an attached run: `hello done in 12s, $0.02 · dstack logs hello`. A run that never
 * started has no output: `hello failed in 0s · dstack explain hello`.
 */
export function closingLine(run: Run, paint: Paint): string {
  const name = run.run_spec.run_name ?? '';
  const seconds = durationOf(run);
  const parts = [
    `${paint('code', name)} ${run.status}${seconds === null ? '' : ` in ${durationInUnits(seconds)}`}`,
    ...(run.cost > 0 ? [price(run.cost)] : []),
  ];
  return `${parts.join(', ')} · dstack ${hasStarted(run) ? 'logs' : 'explain'} ${name}`;
}

/** In any attempt: the output of earlier ones is kept. */
function hasStarted({ jobs }: Run): boolean {
  const attempts = jobs.flatMap((job) => job.job_submissions);
  return attempts.some((one) => one.job_provisioning_data !== null || one.exit_status !== null);
}

/** From the submission to the end of the last job; null if none has ended. */
function durationOf(run: Run): number | null {
  const ends = run.jobs.map((job) => Date.parse(currentSubmission(job)?.finished_at ?? ''));
  const last = Math.max(...ends.filter((end) => !Number.isNaN(end)));
  const seconds = Math.round((last - Date.parse(run.submitted_at)) / 1000);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}
