import type { LogPieces, LogSignals } from '@dstack/store';
import type { LogStreamRef } from '../log-store.ts';
import {
  type LogMedium,
  type StreamSetup,
  StreamStore,
  type StreamStoreOptions,
} from '../stream-store.ts';
import { TableStream } from './table-stream.ts';

export interface TableLogsOptions {
  readonly tables: LogPieces;
  /** Carries notifications to readers on other servers. */
  readonly signals: LogSignals;
}

/** Logs in a table of the database, for servers that share one. */
export class TableLogStore extends StreamStore<TableStream> {
  constructor(options: TableLogsOptions & StreamStoreOptions) {
    super(new LogTables(options), options);
  }
}

class LogTables implements LogMedium<TableStream> {
  readonly #options: TableLogsOptions;

  constructor(options: TableLogsOptions) {
    this.#options = options;
  }

  open(ref: LogStreamRef, folder: string, setup: StreamSetup): Promise<TableStream> {
    const { tables, signals } = this.#options;
    return TableStream.open({ ...setup, ref, tables, stored: () => signals.announce(folder) });
  }

  letGo(stream: TableStream): Promise<void> {
    return stream.close();
  }

  async remove(ref: LogStreamRef, _folder: string, stream: TableStream | null): Promise<void> {
    stream?.abandon();
    await this.#options.tables.delete(ref.jobId);
  }

  subscribe(listener: (folder: string) => void): () => void {
    return this.#options.signals.subscribe(listener);
  }

  async close(): Promise<void> {}
}
