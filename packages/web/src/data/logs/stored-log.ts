import type { Client, LogPiece } from '@dstack/client';
import type { LogStreamStart, LogTarget } from './log-stream.ts';

/** Output that the server has now, from a place on. */
export function storedLog(
  client: Client,
  target: LogTarget,
  from: LogStreamStart,
  signal: AbortSignal,
): AsyncGenerator<LogPiece, void> {
  const query = { run_name: target.run, job_submission_id: target.submission, timestamps: true };
  return client.project(target.project).logs.stream({ ...query, ...from, follow: false }, signal);
}
