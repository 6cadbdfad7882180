import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';
import { serverConfigPath, serverFolder } from './server-folders.ts';
import { StartError } from './start-error.ts';

/** Creates the server's folder with its parents if it is missing. Throws `StartError`. */
export async function makeServerDir(dir: string): Promise<void> {
  try {
    await make(dir);
    if ((await stat(dir)).isDirectory()) return;
  } catch (error) {
    throw refusal(dir, errorMessage(error), error);
  }
  throw refusal(dir, 'it is a file');
}

/** The permissions of users other than the owner. */
const OTHERS = 0o007;

/**
 * Removes other users' permissions from files with secrets in the server's folder: users write the
 * configuration by hand, and copy databases. Returns the files that were open, and the reason if
 * they still are. The folder itself may belong to any user and is not changed.
 */
export async function closeSecrets(
  dir: string,
): Promise<{ readonly path: string; readonly failed: string | null }[]> {
  const opened: { path: string; failed: string | null }[] = [];
  for (const path of [serverConfigPath(dir), serverFolder(dir, 'data')]) {
    const mode = (await stat(path).catch(() => null))?.mode ?? 0;
    if ((mode & OTHERS) === 0) continue;
    const failed = await chmod(path, mode & 0o7777 & ~OTHERS).then(
      () => null,
      (error: Error) => error.message,
    );
    opened.push({ path, failed });
  }
  return opened;
}

/**
 * Not Node's `recursive`, which loops for ever if an existing parent does not accept folders
 * (autofs).
 */
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
