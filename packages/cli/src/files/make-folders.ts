import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Like `mkdir -p`, for folders below a home directory. Node's own `recursive` loops for ever where
 * the system reports that the child of an existing folder is missing and cannot be created (below
 * `/proc`, on automounted homes).
 */
export async function makeFolders(path: string, mode = 0o700): Promise<void> {
  const missing: string[] = [];
  for (let dir = path; !(await isFolder(dir)); dir = dirname(dir)) missing.unshift(dir);
  for (const dir of missing) {
    await mkdir(dir, { mode }).catch(async (error: NodeJS.ErrnoException) => {
      const madeByOthers = error.code === 'EEXIST' && (await isFolder(dir));
      if (!madeByOthers) throw error;
    });
  }
}

/** False if the path does not exist; throws if it is not a folder, or a parent is not one. */
async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found && !found.isDirectory()) throw new Error(`${path} is not a folder`);
  return found !== null;
}
