import { isRunDone, isRunFailed, isServerHostOnWire } from '@dstack/contract/status';
import type { JobSubmission, Run } from '@dstack/contract/wire';
import type { Paint } from '../terminal/style.ts';
import { decisiveJob } from './run-outcome.ts';
import { currentSubmission } from './run-status.ts';

/**
 * How a run ended, in at most three lines: its status with a short error, the message of the job,
 * and where to look further. The first job that failed counts, not the first job.
 */
export function finishedMessage(run: Run, paint: Paint): string {
  const job = decisiveJob(run);
  const submission = job && currentSubmission(job);
  const status = submission?.status_message || run.status_message || run.status;
  const error = submission?.error || run.error;
  const text = capitalised(status) + (error ? ` (${error})` : '');
  const lines = [paint(isRunDone(run.status) ? 'success' : 'error', text)];
  const reason = submission?.termination_reason_message;
  if (reason && !isRunDone(run.status)) lines.push(reason);
  const hint = nextStep(run, submission);
  if (hint) lines.push(hint);
  return lines.join('\n');
}

function nextStep(run: Run, submission: JobSubmission | undefined): string | null {
  if (!isRunFailed(run.status)) return null;
  const name = run.run_spec.run_name;
  if (submission?.termination_reason === 'failed_to_start_due_to_no_capacity') {
    return `Check dstack explain ${name} for why.`;
  }
  if (lacksDefaultImage(run, submission)) {
    return 'The default image could not be pulled. Without a registry, start the server with DSTACK_LOCAL_EXECUTOR=process (jobs are plain processes), or set an `image` that Docker has there.';
  }
  return `Check dstack logs -d ${name} for more details.`;
}

/** On the server's machine, which can run jobs without images. */
function lacksDefaultImage(run: Run, submission: JobSubmission | undefined): boolean {
  const { configuration } = run.run_spec;
  const instance = submission?.job_provisioning_data;
  return (
    (submission?.termination_reason_message ?? '').startsWith('pullImage error') &&
    !configuration.image &&
    instance != null &&
    isServerHostOnWire(instance)
  );
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
