/** The layout of a volume: `<root>/<id>` with a label and the data. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { VolumeDirectory } from '@dstack/contract/agent';

/** The folder in a shared path, which may hold other files. */
const SHARED_FOLDER = 'dstack-volumes';
/** Describes the directory for people, and shows that it is complete. */
export const LABEL = 'volume.json';
export const DATA = 'data';

export function rootOf(stateDir: string, path: string | null): string {
  return path === null ? join(stateDir, 'volumes') : join(path, SHARED_FOLDER);
}

/** Path of the data, for mounts; null = there is no such volume. */
export async function dataOf(stateDir: string, volume: VolumeDirectory): Promise<string | null> {
  const dir = join(rootOf(stateDir, volume.path), volume.id);
  return (await statsOf(join(dir, LABEL))) === null ? null : join(dir, DATA);
}

/** Does not use blocking calls: a shared file system may not answer. Null: nothing is there. */
export async function statsOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
