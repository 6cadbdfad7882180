import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Like `mkdir -p`. Returns the first folder that was created, undefined if all existed. Safe for
 * paths that users choose: Node's own `recursive` loops for ever, and loses its thread, where a
 * child of an existing folder can neither be found nor created (`/proc/x`).
 */
export async function createFolders(path: string, mode = 0o777): Promise<string | undefined> {
  const missing: string[] = [];
  for (let dir = path; !(await isFolder(dir)); dir = dirname(dir)) missing.unshift(dir);
  let first: string | undefined;
  for (const dir of missing) {
    if (await makeFolder(dir, mode)) first ??= dir;
  }
  return first;
}

/** False if the path is missing. Throws if it is not a folder or lies below a file. */
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

/** False if another process has created it meanwhile. */
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
