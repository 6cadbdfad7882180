import { chmodSync, chownSync, lstatSync, mkdirSync, rmdirSync, type Stats } from 'node:fs';

/**
 * The name of the folder can be known to others and may lie where everybody can make folders: who
 * owns it could put a socket of his own in the place of ours.
 */
export function makeSocketFolder(path: string): Stats {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const folder = lstatSync(path);
  const owners = [0, process.getuid?.() ?? 0];
  if (!owners.includes(folder.uid)) {
    throw new Error(`the folder of the socket, ${path}, belongs to somebody else; remove it`);
  }
  return folder;
}

/** Makes it again as it was: its group may be what lets others reach the socket. */
export function restoreSocketFolder(path: string, { uid, gid, mode }: Stats): void {
  makeSocketFolder(path);
  chownSync(path, uid, gid);
  chmodSync(path, mode & 0o7777);
}

/** Leaves it where there is anything in it. */
export function removeSocketFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // In use by somebody (a mount, other files), or gone: nothing depends on its removal.
  }
}
