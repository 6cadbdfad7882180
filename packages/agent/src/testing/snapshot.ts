import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * All visible properties of a tree: names, kinds, modes, owners, inodes, links, times and contents.
 */
export function snapshot(root: string, below = ''): Record<string, unknown> {
  const path = join(root, below);
  const { mode, uid, gid, ino, nlink, mtimeMs, ctimeMs } = lstatSync(path);
  const stats = { mode: mode.toString(8), uid, gid, ino, nlink, mtimeMs, ctimeMs };
  const kind = mode & 0o170000;
  if (kind === 0o120000) return { [below]: { ...stats, to: readlinkSync(path) } };
  if (kind === 0o100000) return { [below]: { ...stats, text: readFileSync(path, 'latin1') } };
  if (kind !== 0o040000) return { [below]: stats };
  const inner = readdirSync(path).map((name) => snapshot(root, join(below, name)));
  return Object.assign({ [below]: stats }, ...inner);
}
