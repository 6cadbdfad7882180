import type { Id, Timestamp } from '@dstack/core';

/** How long a project keeps things after they have ended, in seconds; null = as the server's setting. */
export interface RetentionOfProject {
  readonly runsSeconds: number | null;
  readonly logsSeconds: number | null;
  readonly eventsSeconds: number | null;
  readonly metricsSeconds: number | null;
}

/** A project with its own settings, and the moments up to which its logs and metrics are deleted. */
export interface RetainedProject extends RetentionOfProject {
  readonly projectId: Id;
  readonly logsDeletedTo: JobCursor;
  readonly metricsDeletedTo: JobCursor;
}

/** Jobs of a project in the order of their ends. */
export interface JobCursor {
  readonly finishedAt: Timestamp;
  readonly jobId: Id;
}

/** The place of a job's log, as `LogStreamRef`. */
export interface StoredLogRef {
  readonly project: string;
  readonly run: string;
  readonly jobId: Id;
}

export interface EndedJobLog extends StoredLogRef {
  readonly finishedAt: Timestamp;
}

export interface EndedRun {
  readonly id: Id;
  /** All jobs, or the first ones of a run with more than fit into a step. */
  readonly jobIds: readonly Id[];
  readonly isWhole: boolean;
  /** Logs of those jobs that had a machine; others have written nothing. */
  readonly logs: readonly StoredLogRef[];
}

/** Times of metrics: each is kept if it is not older. */
export interface MetricCutoffs {
  readonly running: Timestamp;
  readonly finished: Timestamp;
  readonly minutes: Timestamp;
  readonly hours: Timestamp;
}

/** Projects that keep something for longer, and where the search begins, so that it is not seen again. */
export interface Except {
  readonly projectIds: readonly Id[];
  readonly after: Timestamp;
}

/** How many rows were looked at, those that stay too; and the time of the last one. */
export interface Swept {
  readonly seen: number;
  readonly last: Timestamp;
}

/** Rows that are deleted a while after they have ended. */
export const ENDED_KINDS = ['instance', 'volume', 'group', 'gateway', 'fleet'] as const;
export type EndedKind = (typeof ENDED_KINDS)[number];

/** How much a table takes. */
export interface TableUse {
  readonly table: string;
  readonly rows: number;
  readonly bytes: number;
  /** False: estimated from a sample of its rows. */
  readonly isExact: boolean;
}

export interface DatabaseUse {
  readonly tables: readonly TableUse[];
  readonly bytes: number;
  /** Bytes of the file that no row uses (SQLite); PostgreSQL does not report them. */
  readonly freeBytes: number | null;
  /** Whether unused space is given back to the file system. */
  readonly shrinks: boolean;
  /** Output of jobs and uploads, wherever they are stored; estimated from samples of many. */
  readonly logBytes: number;
  readonly uploadBytes: number;
}

/**
 * Deletion of what has been kept long enough. Every method does a bounded piece of work in
 * transactions of its own and returns how much; the caller repeats it until nothing is left. Each is
 * repeatable: one that is killed leaves rows that the next call finds again.
 */
export interface Retention {
  /** All projects, deleted ones too. */
  projects(): Promise<RetainedProject[]>;
  ofProject(projectId: Id): Promise<RetentionOfProject>;
  setOfProject(projectId: Id, retention: RetentionOfProject): Promise<void>;

  /** Finished jobs behind the cursor that ended before `before`, in the order of their ends. */
  endedJobs(
    projectId: Id,
    after: JobCursor,
    before: Timestamp,
    limit: number,
  ): Promise<EndedJobLog[]>;
  /** The logs up to `cursor` are deleted; forgets the lengths of these. */
  logsDeleted(projectId: Id, cursor: JobCursor, jobIds: readonly Id[]): Promise<void>;

  /** Logs of deleted runs and of submissions that are no longer kept, as far as they are due. */
  pendingLogs(until: Timestamp, limit: number): Promise<StoredLogRef[]>;
  /** These could not be deleted; whatever becomes of their rows, they are due again then. */
  postponeLogs(places: readonly StoredLogRef[], until: Timestamp): Promise<void>;
  pendingBlobs(until: Timestamp, limit: number): Promise<string[]>;
  /** Whether an upload has this blob. */
  isBlobUsed(sha256: string): Promise<boolean>;
  deleted(kind: 'log' | 'blob', keys: readonly string[]): Promise<void>;
  /** The blob was stored again a moment ago. */
  postponeBlob(sha256: string, until: Timestamp): Promise<void>;
  /** Those of the jobs that have no row: nothing else would ever delete their logs. */
  unknownJobs(jobIds: readonly Id[]): Promise<Id[]>;
  /** Logs in the database whose jobs have no row, among the next `limit` logs; `next` null = the end. */
  strayLogs(after: Id, limit: number): Promise<{ readonly jobIds: Id[]; readonly next: Id | null }>;

  /** Finished runs that ended before `before`, the oldest first; at most `jobs` jobs of all together. */
  endedRuns(
    projectId: Id,
    before: Timestamp,
    limits: { readonly runs: number; readonly jobs: number },
  ): Promise<EndedRun[]>;
  /** How many have ended before then, at most `limit`. */
  countEndedRuns(projectId: Id, before: Timestamp, limit: number): Promise<number>;
  /**
   * Deletes these jobs and, of runs that are whole, the run, with all that belongs to them. A run
   * that is no longer finished, or has work under way, stays. Returns the number of deleted rows.
   */
  deleteRuns(runs: readonly EndedRun[], before: Timestamp): Promise<number>;

  /** Stores which uploads are named by runs that were not looked at yet. */
  noteUploads(limit: number): Promise<number>;
  /** Uploads that no run names and no user has asked for since. Nothing while `noteUploads` is behind. */
  deleteUploads(usedBefore: Timestamp, limit: number): Promise<number>;

  /** Replaces measurements by means of minutes and hours. */
  condenseMetrics(cutoffs: MetricCutoffs, limit: number): Promise<number>;
  /** Deletes means of hours that are older than `before`, but for those of `except`. */
  deleteMeans(before: Timestamp, except: Except, limit: number): Promise<Swept>;
  /**
   * Deletes all metrics of a project's jobs that ended before `before`, and of its other jobs what is
   * older.
   */
  deleteMetrics(
    project: Pick<RetainedProject, 'projectId' | 'metricsDeletedTo'>,
    before: Timestamp,
    limit: number,
  ): Promise<number>;

  /** Deletes events that are older than `before`, but for those that name a project of `except`. */
  deleteEvents(before: Timestamp, except: Except, limit: number): Promise<Swept>;
  /** Deletes events that name this project alone. */
  deleteEventsOf(projectId: Id, before: Timestamp, limit: number): Promise<number>;

  /** Deleted instances, fleets, … that nothing names any more. */
  deleteEnded(kind: EndedKind, before: Timestamp, limit: number): Promise<number>;
  /** Settled intents whose subject has no row, among the next `limit` intents; `seen`: how many of these there were. */
  deleteStrayIntents(
    after: string,
    before: Timestamp,
    limit: number,
  ): Promise<{ readonly count: number; readonly seen: number; readonly next: string | null }>;
  /**
   * Deletes those of the next `limit` facts of this kind (key `kind:…`) for which `isOld` returns true. A fact
   * that is written meanwhile stays.
   */
  deleteOldFacts(
    kind: string,
    after: string,
    isOld: (key: string, value: string) => boolean,
    limit: number,
  ): Promise<{ readonly count: number; readonly next: string | null }>;
  /** `day`: days since the epoch. */
  deleteUsage(day: number, limit: number): Promise<number>;
  /** Deletes what is entered in the ledger for days before `day`: the parts of intervals, or the sums of days. */
  deleteLedger(what: 'parts' | 'days', day: number, limit: number): Promise<number>;
  deleteRetiredTokens(before: Timestamp, limit: number): Promise<number>;

  /** How much each table takes, without reading whole tables. */
  use(): Promise<DatabaseUse>;
  /** Gives unused pages back to the file system; returns how many. Only of files made for it. */
  releasePages(limit: number): Promise<number>;
}
