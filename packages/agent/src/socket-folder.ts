import { chmodSync, chownSync, lstatSync, mkdirSync, rmdirSync, type Stats } from 'node:fs';

/**
 * The folder's name can be guessed and its parent may be writable for all users. The owner of the
 * folder could replace the agent's socket.
 */
export function ensureSocketFolder(path: string): Stats {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const folder = lstatSync(path);
  const owners = [0, process.getuid?.() ?? 0];
  if (!owners.includes(folder.uid)) {
    throw new Error(`the folder of the socket, ${path}, belongs to another user; remove it`);
  }
  return folder;
}

/**
 * Creates it again with the same owner and mode, since access to the socket may depend on its
 * group.
 */
export function restoreSocketFolder(path: string, { uid, gid, mode }: Stats): void {
  ensureSocketFolder(path);
  chownSync(path, uid, gid);
  chmodSync(path, mode & 0o7777);
}

/** Keeps the folder if it is not empty. */
export function removeSocketFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // In use (a mount, other files) or already removed: nothing depends on its removal.
  }
}
