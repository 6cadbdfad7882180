/** Where the directories of volumes are: `<root>/<id>` with a label and the data. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { VolumeDirectory } from '@dstack/contract/agent';

/** Of a shared path, which may hold other things. */
const SHARED_FOLDER = 'dstack-volumes';
/** What the directory is, for people, and the sign that it is complete. */
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

/** Never by a call that holds up the agent: a shared file system may not answer. Null: nothing there. */
export async function statsOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
