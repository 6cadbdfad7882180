import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * As `mkdir -p`; answers the first folder that was made, undefined where none had to be. For paths
 * that users choose: Node's own `recursive` asks for ever where the system says of an existing
 * folder's child that it is not there and cannot be made (`/proc/x`), and its thread is lost.
 */
export async function makeFolders(path: string, mode = 0o777): Promise<string | undefined> {
  const missing: string[] = [];
  for (let dir = path; !(await isFolder(dir)); dir = dirname(dir)) missing.unshift(dir);
  let first: string | undefined;
  for (const dir of missing) {
    if (await makeFolder(dir, mode)) first ??= dir;
  }
  return first;
}

/** False for what is not there; throws for what is no folder, or lies below something else. */
async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  throw Object.assign(new Error(`ENOTDIR: not a directory, mkdir '${path}'`), {
    code: 'ENOTDIR',
    path,
  });
}

/** False where somebody else has made it meanwhile. */
async function makeFolder(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await isFolder(path))) return false;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}
