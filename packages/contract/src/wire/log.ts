/** Job logs as returned by `logs/poll`. */
import * as z from 'zod';
import { choiceOf, DateTime, model, nullable, Text } from './scalars.ts';

export const LogEventSource = choiceOf(['stdout', 'stderr']);
export type LogEventSource = z.infer<typeof LogEventSource>;

/** `message` is base64 of UTF-8 bytes; `log_source` is always `stdout`. */
export const LogEvent = model({ timestamp: DateTime, log_source: LogEventSource, message: Text });
export type LogEvent = z.infer<typeof LogEvent>;

/** `next_token` null = no further events at present. */
export const JobSubmissionLogs = model({
  logs: z.array(LogEvent),
  external_url: nullable(Text),
  next_token: nullable(Text),
});
export type JobSubmissionLogs = z.infer<typeof JobSubmissionLogs>;
