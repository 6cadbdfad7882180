import { rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LogStreamRef } from '../log-store.ts';
import {
  type LogMedium,
  type StreamSetup,
  StreamStore,
  type StreamStoreOptions,
} from '../stream-store.ts';
import { FileStream } from './file-stream.ts';
import { FileHandles } from './open-files.ts';

export interface FileLogsOptions {
  /** Folder of all logs, e.g. `<server dir>/logs`. */
  readonly root: string;
  readonly segmentBytes?: number;
  readonly maxOpenFiles?: number;
}

/**
 * Logs in files: `<root>/<project>/<run>/<job submission>/`. Only one process may use the folder
 * (the server's lock file ensures that).
 */
export class FileLogStore extends StreamStore<FileStream> {
  constructor(options: FileLogsOptions & StreamStoreOptions) {
    super(new LogFiles(options), options);
  }
}

class LogFiles implements LogMedium<FileStream> {
  readonly #options: FileLogsOptions;
  readonly #files: FileHandles;

  constructor(options: FileLogsOptions) {
    this.#options = options;
    this.#files = new FileHandles(options.maxOpenFiles ?? 2048);
  }

  open(_ref: LogStreamRef, folder: string, setup: StreamSetup): Promise<FileStream> {
    return FileStream.open({
      ...setup,
      dir: join(this.#options.root, folder),
      files: this.#files,
      segmentBytes: this.#options.segmentBytes ?? 16 * 1024 * 1024,
    });
  }

  letGo(stream: FileStream): Promise<void> {
    return stream.flush();
  }

  async remove(_ref: LogStreamRef, folder: string, stream: FileStream | null): Promise<void> {
    // Waits for pending writes.
    await stream?.flush().catch(() => {});
    const dir = join(this.#options.root, folder);
    await this.#files.forget(dir);
    await rm(dir, { recursive: true, force: true });
    // The run's folder is deleted with its last log.
    await rmdir(dirname(dir)).catch(() => {});
  }

  close(): Promise<void> {
    return this.#files.close();
  }
}
