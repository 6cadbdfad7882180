/** The sizes of the server's data, for its admins, and the data that it will delete. Our addition. */
import * as z from 'zod';
import { DateTime, Flag, Integer, model, nullable, Text } from './scalars.ts';

export const StoredKind = model({
  /** `runs`, `logs`, `events`, …: the first table of those that are deleted together. */
  kind: Text,
  rows: Integer,
  bytes: Integer,
  /** False: estimated from samples. */
  is_exact: Flag,
  /** Seconds after the end; null = for ever, or by a rule without a setting. */
  kept_seconds: nullable(Integer),
});
export type StoredKind = z.infer<typeof StoredKind>;

export const ServerUsage = model({
  measured_at: DateTime,
  database_bytes: Integer,
  /** Bytes of the file that no row uses; null: the database does not report them. */
  free_bytes: nullable(Integer),
  /** Whether the database gives unused space back to the file system. */
  shrinks: Flag,
  /** The free space of the folder of the server; null: unknown. */
  disk_free_bytes: nullable(Integer),
  /** The largest first. */
  kinds: z.array(StoredKind),
  /** Output of jobs and uploads in files beside the database; null: they are in the database. */
  log_bytes: nullable(Integer),
  upload_bytes: nullable(Integer),
  /** Ended runs and logs are deleted from then on; null = now. */
  deletes_from: nullable(DateTime),
  /** Runs that are past their time, 1000 at most. */
  due_runs: Integer,
});
export type ServerUsage = z.infer<typeof ServerUsage>;

/** How long a project keeps ended runs, their output, events and metrics, in seconds. */
export const ProjectRetention = model({
  /** Null = as the server's setting. */
  runs_seconds: nullable(Integer),
  logs_seconds: nullable(Integer),
  events_seconds: nullable(Integer),
  /** Means of hours, and everything of jobs that ended longer ago. */
  metrics_seconds: nullable(Integer),
  /** The retention that holds; null = for ever. */
  effective_runs_seconds: nullable(Integer),
  effective_logs_seconds: nullable(Integer),
  effective_events_seconds: nullable(Integer),
  effective_metrics_seconds: nullable(Integer),
});
export type ProjectRetention = z.infer<typeof ProjectRetention>;
