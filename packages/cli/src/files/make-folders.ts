import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * As `mkdir -p`, for folders below a home, which can be anywhere: Node's own `recursive` asks for
 * ever where the system says of an existing folder's child that it is not there and cannot be made
 * (below `/proc`, on automounted homes).
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

/** False for what is not there; throws for what is no folder, or lies below something else. */
async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found && !found.isDirectory()) throw new Error(`${path} is not a folder`);
  return found !== null;
}
