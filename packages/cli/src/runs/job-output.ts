import type { Run } from '@dstack/contract/wire';
import type { Connection } from '../context.ts';
import { currentSubmission, findJob, isJobFinished } from './run-status.ts';

export interface OutputOptions {
  readonly runName: string;
  readonly submissionId: string;
  /** Where the run's job is found again when the server can only be polled. */
  readonly replica: number;
  readonly job: number;
  readonly write: (bytes: Uint8Array) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes a job's output as it is printed, from its beginning, until the job has ended and all of
 * it was written. Returns how many bytes that were.
 */
export async function streamOutput(
  connection: Connection,
  options: OutputOptions,
): Promise<number> {
  const { logs } = connection.project;
  const query = { run_name: options.runName, job_submission_id: options.submissionId };
  let written = 0;
  const write = (bytes: Uint8Array): void => {
    written += bytes.byteLength;
    options.write(bytes);
  };
  try {
    for await (const piece of logs.stream(query, options.signal)) write(piece.bytes);
  } catch (error) {
    const { isUnsupported } = await import('@dstack/client');
    if (!isUnsupported(error)) throw error;
    const ended = () => submissionEnded(connection, options);
    for await (const bytes of logs.follow(query, ended, options.signal)) write(bytes);
  }
  return written;
}

/** True once the job's submission is over, or is no longer the job's last. */
export async function submissionEnded(
  connection: Connection,
  options: Omit<OutputOptions, 'write' | 'signal'>,
): Promise<boolean> {
  const run: Run = await connection.project.runs.get({ run_name: options.runName });
  const job = findJob(run, options.replica, options.job);
  const submission = job && currentSubmission(job);
  if (submission === undefined || submission.id !== options.submissionId) return true;
  return isJobFinished(submission.status);
}
