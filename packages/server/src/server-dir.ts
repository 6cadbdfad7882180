import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StartError } from './start-error.ts';

/** Makes the server's folder with its parents, if it is not there. Throws `StartError`. */
export async function makeServerDir(dir: string): Promise<void> {
  try {
    await make(dir);
    if ((await stat(dir)).isDirectory()) return;
  } catch (error) {
    throw refusal(dir, (error as Error).message, error);
  }
  throw refusal(dir, 'it is a file');
}

/** Not Node's `recursive`, which never ends where a parent is there but takes no folders (autofs). */
async function make(dir: string): Promise<void> {
  if (await isThere(dir)) return;
  await make(dirname(dir));
  await mkdir(dir, { mode: 0o700 });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function refusal(dir: string, why: string, cause?: unknown): StartError {
  return new StartError(`${dir} cannot be used as the folder of the server: ${why}`, {
    next: 'set DSTACK_SERVER_DIR to a folder where this user can write',
    cause,
  });
}
