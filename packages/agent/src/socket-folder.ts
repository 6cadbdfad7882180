import { lstatSync, mkdirSync, rmdirSync } from 'node:fs';

/**
 * The name of the folder can be known to others and may lie where everybody can make folders: who
 * owns it could put a socket of his own in the place of ours.
 */
export function makeSocketFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const owners = [0, process.getuid?.() ?? 0];
  if (!owners.includes(lstatSync(path).uid)) {
    throw new Error(`the folder of the socket, ${path}, belongs to somebody else; remove it`);
  }
}

/** Leaves it where there is anything in it. */
export function removeSocketFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // In use by somebody (a mount, other files), or gone: nothing depends on its removal.
  }
}
