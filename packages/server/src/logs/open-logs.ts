import type { Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import { serverFolder } from '../process/server-folders.ts';
import { FileLogStore } from './file/file-log-store.ts';
import type { LogStore, LogStreamRef, QuotaListener } from './log-store.ts';
import { TableLogStore } from './tables/table-log-store.ts';

export interface OpenLogsOptions {
  /** The server's folder; logs are in `logs/` below it. */
  readonly dir: string;
  readonly store: Store;
  readonly now: () => Timestamp;
  readonly quotaPerHour: number;
  readonly onQuota: QuotaListener;
  readonly log: Logger;
}

/**
 * Files beside SQLite. With a shared database a table, since no server's disk may hold the only
 * copy.
 */
export const placeOfLogs = ({ shared }: Pick<Store, 'shared'>): 'files' | 'database' =>
  shared ? 'database' : 'files';

export function openLogs({ dir, store, log, ...options }: OpenLogsOptions): LogStore {
  const common = {
    ...options,
    onSyncError: (ref: LogStreamRef, error: Error) =>
      log.warn({ job: ref.jobId, err: error }, 'log not durable yet'),
  };
  if (placeOfLogs(store) === 'files') {
    return new FileLogStore({ ...common, root: serverFolder(dir, 'logs') });
  }
  return new TableLogStore({ ...common, tables: store.logs.tables, signals: store.logs.signals });
}
