import { readdir, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SECOND, type Timestamp } from '@dstack/core';
import type { Retention } from '@dstack/store';
import type { LogStore } from '../logs/log-store.ts';

/** A step ends after this time, however slow the disk is. */
const STEP_MS = 300;

export interface StrayLogsOptions {
  readonly retention: Pick<Retention, 'unknownJobs' | 'strayLogs'>;
  readonly logs: Pick<LogStore, 'delete'>;
  /** Folder of the logs; null = they are in the database. */
  readonly root: string | null;
}

/** Between two passes over all logs (µs). */
const REST = 86_400 * SECOND;

/**
 * A log that was written to within this time (µs) may belong to a job that a restored database does not
 * know: people may still want to read it.
 */
const YOUNG = 30 * 86_400 * SECOND;

/** Deletes logs whose jobs have no row: what earlier versions have left behind. */
export class StrayLogs {
  readonly #options: StrayLogsOptions;
  #folders: AsyncGenerator<RunFolder, void> | null = null;
  #position = '';
  #restsUntil = 0;

  constructor(options: StrayLogsOptions) {
    this.#options = options;
  }

  /** Looks at about `limit` logs. Returns 0 when all have been looked at lately. */
  async deleteNext(limit: number, now: Timestamp): Promise<number> {
    const { root } = this.#options;
    // Further ahead: it was set while the clock was.
    if (now < this.#restsUntil && this.#restsUntil <= now + REST) return 0;
    const isLast =
      root === null ? await this.#nextRows(limit) : await this.#nextFolders(root, limit, now);
    if (!isLast) return limit;
    this.#restsUntil = now + REST;
    return 0;
  }

  async #nextRows(limit: number): Promise<boolean> {
    const { retention, logs } = this.#options;
    const { jobIds, next } = await retention.strayLogs(this.#position, limit);
    // The table is read by the job's id alone.
    for (const jobId of jobIds) await logs.delete({ project: 'none', run: 'none', jobId });
    this.#position = next ?? '';
    return next === null;
  }

  async #nextFolders(root: string, limit: number, now: Timestamp): Promise<boolean> {
    this.#folders ??= runFolders(root);
    const start = performance.now();
    const found: RunFolder[] = [];
    for (let seen = 0; seen < limit && performance.now() - start < STEP_MS; ) {
      const { value, done } = await this.#folders.next();
      if (done || value === undefined) {
        this.#folders = null;
        break;
      }
      found.push(value);
      seen += 1 + value.jobIds.length;
    }
    await this.#lookInto(root, found, now);
    return this.#folders === null;
  }

  /** One question about all of them: a month of logs has tens of thousands of folders. */
  async #lookInto(root: string, folders: readonly RunFolder[], now: Timestamp): Promise<void> {
    const { retention, logs } = this.#options;
    const all = folders.flatMap(({ jobIds }) => jobIds);
    const unknown = new Set(all.length === 0 ? [] : await retention.unknownJobs(all));
    for (const { project, run, jobIds } of folders) {
      const folder = join(root, project, run);
      for (const jobId of jobIds.filter((id) => unknown.has(id))) {
        const found = await stat(join(folder, jobId)).catch(() => null);
        if (found === null || found.mtimeMs * 1000 > now - YOUNG) continue;
        await logs.delete({ project, run, jobId });
      }
      // Left behind by a server that was killed after it had deleted the last log in it.
      if (jobIds.length === 0) await rmdir(folder).catch(() => {});
    }
  }
}

/** The folder of a run, and the jobs that have logs in it. */
interface RunFolder {
  readonly project: string;
  readonly run: string;
  readonly jobIds: readonly string[];
}

async function* runFolders(root: string): AsyncGenerator<RunFolder, void> {
  for (const project of await namesIn(root)) {
    for (const run of await namesIn(join(root, project))) {
      yield { project, run, jobIds: await namesIn(join(root, project, run)) };
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    // A folder that is not there any more, or a file.
    return [];
  }
}
