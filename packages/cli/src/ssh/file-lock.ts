import { open, rm, stat } from 'node:fs/promises';

const RETRY_MS = 50;
/** Longer than any edit takes: an older lock has lost its owner. */
const STALE_MS = 5000;

/**
 * Excludes other processes of this program while `work` edits a file. The official command line
 * locks the same path with `flock` and leaves the file behind, so an old lock file counts as free.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const own = `${path}.own`;
  for (;;) {
    try {
      await (await open(own, 'wx', 0o600)).close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const info = await stat(own).catch(() => null);
      if (info !== null && Date.now() - info.mtimeMs > STALE_MS) await rm(own, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  try {
    return await work();
  } finally {
    await rm(own, { force: true });
  }
}
