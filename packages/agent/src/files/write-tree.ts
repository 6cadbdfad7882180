import { chmod, link, mkdir, open, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Entry } from './entries.ts';

/** The mode of directories that no entry describes. */
const DEFAULT_MODE = 0o755;
/** Without these rights a directory could not be filled, moved or removed. */
const OWNER = 0o700;

/**
 * Writes a tree to `root`, which must not exist. Only this process may write to the directory around
 * it: entries have safe names, but another process could put a link among them. Creates every entry
 * and opens none that exists. Modes do not depend on the umask.
 */
export async function writeTree(
  entries: AsyncIterable<Entry>,
  root: string,
  signal: AbortSignal,
): Promise<void> {
  const made = new Set<string>();
  for await (const entry of entries) {
    signal.throwIfAborted();
    const path = join(root, entry.path);
    if (entry.path !== '') await makeMissing(entry.path, root, made);
    await writeEntry(entry, path, root, made);
  }
}

async function writeEntry(
  entry: Entry,
  path: string,
  root: string,
  made: Set<string>,
): Promise<void> {
  switch (entry.type) {
    case 'directory':
      if (!made.has(path)) await mkdir(path, OWNER);
      made.add(path);
      return await chmod(path, entry.mode | OWNER);
    case 'symlink':
      return await symlink(entry.to, path);
    case 'link':
      return await link(join(root, entry.to), path);
    case 'file': {
      const file = await open(path, 'wx', 0o600);
      try {
        await file.writeFile(entry.content);
        await file.chmod(entry.mode);
      } finally {
        await file.close();
      }
    }
  }
}

/** Creates the directories above an entry that no entry has created yet. */
async function makeMissing(entry: string, root: string, made: Set<string>): Promise<void> {
  let path = root;
  for (const name of ['', ...entry.split('/').slice(0, -1)]) {
    path = join(path, name);
    if (made.has(path)) continue;
    await mkdir(path, OWNER);
    await chmod(path, DEFAULT_MODE);
    made.add(path);
  }
}
