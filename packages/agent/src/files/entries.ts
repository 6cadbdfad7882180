import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';

/** Something to be put at an absolute path of the job. */
export type Entry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'symlink'; readonly path: string; readonly to: string }
  | { readonly type: 'link'; readonly path: string; readonly to: string }
  | {
      readonly type: 'file';
      readonly path: string;
      readonly mode: number;
      readonly size: number;
      readonly content: Readable;
    };

/** Thrown for an archive that would reach outside of its place. */
export class UnsafeArchive extends Error {}

/**
 * Entries of a tar file, below `target`. With `rename` the archive's single top entry becomes
 * `target` itself, whatever its name. A file's content must be read before the next entry is asked
 * for.
 */
export async function* archiveEntries(
  tar: string,
  target: string,
  rename: boolean,
): AsyncGenerator<Entry> {
  const entries = createReadStream(tar).pipe(extract());
  for await (const entry of entries) {
    const { name, type, mode = 0o644, size = 0, linkname } = entry.header;
    const path = placeOf(name, target, rename);
    if (type === 'file' || type === 'contiguous-file') {
      yield { type: 'file', path, mode, size, content: entry as unknown as Readable };
    } else {
      entry.resume();
      if (type === 'directory') yield { type, path, mode };
      if (type === 'symlink') yield { type, path, to: linkname ?? '' };
      if (type === 'link') yield { type, path, to: placeOf(linkname ?? '', target, rename) };
      // Devices and pipes have no business in an upload.
    }
  }
}

/**
 * Everything below a clone on this host, as if it lay at `target`. Git knows but one bit of modes:
 * whoever may read or run a file there, all users of the job may.
 */
export async function* cloneEntries(dir: string, target: string): AsyncGenerator<Entry> {
  for (const name of (await readdir(dir)).sort()) {
    const from = join(dir, name);
    const path = posix.join(target, name);
    const stat = await lstat(from);
    const mode = forAll(stat.mode & 0o700);
    if (stat.isDirectory()) {
      yield { type: 'directory', path, mode };
      yield* cloneEntries(from, path);
    } else if (stat.isSymbolicLink()) {
      yield { type: 'symlink', path, to: await readlink(from) };
    } else if (stat.isFile()) {
      yield { type: 'file', path, mode, size: stat.size, content: createReadStream(from) };
    }
  }
}

function forAll(mode: number): number {
  const shared = mode & 0o500;
  return mode | (shared >> 3) | (shared >> 6);
}

function placeOf(name: string, target: string, rename: boolean): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new UnsafeArchive(`the archive has an entry ${name}`);
  return posix.join(target, ...parts.slice(rename ? 1 : 0));
}
