import { isJobFinished } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Connection } from '../context.ts';
import { currentSubmission, findJob } from './run-status.ts';

export interface OutputOptions {
  readonly runName: string;
  readonly submissionId: string;
  /** Identifies the job in its run, for servers that can only be polled. */
  readonly replica: number;
  readonly job: number;
  /** Only output after this time, which has an offset. */
  readonly since?: string | null;
  /** Only this many last lines of the output so far, and everything after them. */
  readonly lines?: number | null;
  readonly write: (bytes: Uint8Array) => void;
  /** Awaited after each piece, so that a slow reader does not use up the memory. */
  readonly drained: () => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Writes a job's output as it is produced, from its beginning unless the options limit it, until
 * the job has ended and everything was written. Returns the number of bytes written.
 */
export async function streamOutput(
  connection: Connection,
  options: OutputOptions,
): Promise<number> {
  const { runName, submissionId, since = null, lines = null } = options;
  const job = { run_name: runName, job_submission_id: submissionId };
  let written = 0;
  const write = (bytes: Uint8Array): void => {
    written += bytes.byteLength;
    options.write(bytes);
  };
  try {
    const query = { ...job, start_time: since, lines };
    for await (const piece of connection.project.logs.stream(query, options.signal)) {
      write(piece.bytes);
      await options.drained();
    }
  } catch (error) {
    const { isUnsupported } = await import('@dstack/client');
    if (!isUnsupported(error)) throw error;
    await pollOutput(connection, { ...options, write });
  }
  return written;
}

/** The output from a server without streams, as events. */
async function pollOutput(connection: Connection, options: OutputOptions): Promise<void> {
  const { logs } = connection.project;
  const { runName, submissionId, since = null, lines = null, write } = options;
  const query = { run_name: runName, job_submission_id: submissionId, start_time: since };
  let last = since;
  if (lines !== null) {
    const { fromBase64 } = await import('@dstack/client');
    const { TailBuffer } = await import('./tail-buffer.ts');
    const tail = new TailBuffer(lines);
    for await (const page of logs.pages(query)) {
      for (const { message, timestamp } of page) {
        tail.add(fromBase64(message));
        last = timestamp;
      }
    }
    write(tail.bytes());
  }
  const ended = () => submissionEnded(connection, options);
  const rest = logs.follow({ ...query, start_time: last }, ended, options.signal);
  for await (const bytes of rest) {
    write(bytes);
    await options.drained();
  }
}

/** True once the job's submission has ended, or is no longer the job's last one. */
export async function submissionEnded(
  connection: Connection,
  options: Pick<OutputOptions, 'runName' | 'submissionId' | 'replica' | 'job'>,
): Promise<boolean> {
  const run: Run = await connection.project.runs.get({ run_name: options.runName });
  const job = findJob(run, options.replica, options.job);
  const submission = job && currentSubmission(job);
  if (submission === undefined || submission.id !== options.submissionId) return true;
  return isJobFinished(submission.status);
}
