/** The state of the server that answers, for its admins. Our addition. */
import * as z from 'zod';
import { DateTime, Flag, Integer, model, Text } from './scalars.ts';

/** Keys of one kind of work. */
export const WorkQueueStatus = model({
  kind: Text,
  waiting: Integer,
  running: Integer,
  /** They failed, and are tried again after a delay. */
  delayed: Integer,
});
export type WorkQueueStatus = z.infer<typeof WorkQueueStatus>;

export const ServerStatus = model({
  /** The version of the API, as `get_info` reports it to clients. */
  server_version: Text,
  /** The version of this product. */
  version: Text,
  started_at: DateTime,
  database: Text,
  /** Where the output of jobs is stored. */
  log_store: Text,
  /** False while the server starts or ends. */
  loops_are_running: Flag,
  queues: z.array(WorkQueueStatus),
  /** Hosts with a record in the database, and those of them that a server has a link to. */
  hosts: Integer,
  connected_hosts: Integer,
  /**
   * By how many seconds the clock of this server's host is ahead of the database's (negative: behind);
   * 0 or missing: the difference is too small to matter.
   */
  clock_lead_seconds: z.optional(Integer),
  /**
   * Files that the server's process has open (each connection is one), and how many it may have at most;
   * both are missing if the system does not report them.
   */
  open_files: z.optional(Integer),
  open_files_limit: z.optional(Integer),
  /** The program that answers requests to services without a gateway; servers of earlier versions do not report it. */
  service_engine: z.optional(
    z.object({
      /** `nginx`: before workers; `workers`; `server`: the server itself. There may be others later. */
      name: Text,
      /** Why it does not run; null = it does. */
      problem: z.nullable(Text),
    }),
  ),
  /** Resident memory of the process, in bytes. */
  memory_bytes: Integer,
});
export type ServerStatus = z.infer<typeof ServerStatus>;
