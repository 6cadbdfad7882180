import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes in a block, as `lstat` counts them. */
const BLOCK = 512;

/**
 * Bytes that a directory uses on its disk, files with several names counted once. It goes through
 * the tree one entry at a time, so that jobs do not notice. Files may be created and deleted
 * meanwhile.
 */
export async function diskUsage(dir: string, signal: AbortSignal): Promise<number> {
  const seen = new Set<string>();
  const pending = [dir];
  let bytes = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    signal.throwIfAborted();
    for (const name of await namesIn(next)) {
      const path = join(next, name);
      const stats = await lstat(path).catch(ignoreMissing);
      if (!stats) continue;
      if (stats.isDirectory()) pending.push(path);
      else if (stats.nlink > 1) {
        const identity = `${stats.dev}:${stats.ino}`;
        if (seen.has(identity)) continue;
        seen.add(identity);
      }
      bytes += stats.blocks * BLOCK;
    }
  }
  return bytes;
}

async function namesIn(dir: string): Promise<string[]> {
  const opened = await opendir(dir).catch(ignoreMissing);
  if (!opened) return [];
  const names: string[] = [];
  for await (const entry of opened) names.push(entry.name);
  return names;
}

/** A job has removed it, or closed it to an agent without root. */
function ignoreMissing(error: NodeJS.ErrnoException): null {
  if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(error.code ?? '')) return null;
  throw error;
}
