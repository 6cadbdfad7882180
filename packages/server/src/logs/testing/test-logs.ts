import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileLogStore } from '../file/file-log-store.ts';

/** A job that has output in tests. */
export const REF = { project: 'p', run: 'r', jobId: '7971ea15-4056-4bef-8833-c93e0e7d5128' };

export interface TestLogs {
  readonly store: FileLogStore;
  close(): Promise<void>;
}

/** An empty store in a temporary directory, without limits. */
export async function openTestLogs(): Promise<TestLogs> {
  const root = await mkdtemp(join(tmpdir(), 'logs-'));
  const store = new FileLogStore({
    root,
    now: () => 0,
    quotaPerHour: 0,
    onQuota: () => {},
    onSyncError: (_, error) => {
      throw error;
    },
  });
  const close = async () => {
    await store.close();
    await rm(root, { recursive: true });
  };
  return { store, close };
}
