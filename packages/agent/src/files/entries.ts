import { constants } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { extract, type Header } from 'tar-stream';
import { ArchiveNames, UnsafeArchive } from './archive-names.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** An entry at a path below an archive's root; the root itself is the empty path. */
export type Entry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'symlink'; readonly path: string; readonly to: string }
  /** `to`: path of an earlier file of the same tree. */
  | { readonly type: 'link'; readonly path: string; readonly to: string }
  | {
      readonly type: 'file';
      readonly path: string;
      readonly mode: number;
      readonly size: number;
      readonly content: Readable;
    };

/** Longest target of a link on Linux, in bytes. */
const MAX_LINK = 4095;
/** Archives cannot set the set-user-id, set-group-id or sticky bit. */
const PERMISSIONS = 0o777;

/**
 * Entries of a tar file. With `rename` the archive's single top entry becomes the root, whatever
 * its name. A file's content must be read before the next entry is requested. Throws
 * `UnsafeArchive`.
 */
export async function* archiveEntries(tar: Readable, rename: boolean): AsyncGenerator<Entry> {
  const names = new ArchiveNames();
  const entries = extract();
  // An error of the source ends the loop below, and a loop that ends early closes the source.
  pipeline(tar, entries, () => {});
  let top: string | undefined;
  for await (const entry of entries) {
    const read = readEntry(entry.header, names);
    if (read === null) {
      entry.resume();
      continue;
    }
    const [first, ...below] = read.parts;
    if (rename && (first === undefined || first !== (top ?? first))) {
      throw new UnsafeArchive('the archive has more than one entry at its top');
    }
    top = first;
    const path = (rename ? below : read.parts).join('/');
    if (read.type === 'file') {
      yield { ...read, path, content: entry as unknown as Readable };
      continue;
    }
    entry.resume();
    if (read.type === 'link') {
      yield { type: 'link', path, to: read.to.slice(rename ? 1 : 0).join('/') };
    } else yield { ...read, path };
  }
}

type ReadEntry = { readonly parts: readonly string[] } & (
  | { readonly type: 'directory'; readonly mode: number }
  | { readonly type: 'symlink'; readonly to: string }
  | { readonly type: 'link'; readonly to: readonly string[] }
  | { readonly type: 'file'; readonly mode: number; readonly size: number }
);

/** Null for devices and pipes, which are skipped. */
function readEntry(header: Header, names: ArchiveNames): ReadEntry | null {
  const { name, type, mode = 0o644, size = 0, linkname } = header;
  const permissions = mode & PERMISSIONS;
  switch (type) {
    case 'file':
    case 'contiguous-file':
      if (isSparse(header)) throw new UnsafeArchive('the archive has sparse files');
      return { type: 'file', parts: names.add(name, 'file'), mode: permissions, size };
    case 'directory':
      return { type, parts: names.add(name, 'directory'), mode: permissions };
    case 'symlink':
      return { type, parts: names.add(name, 'link'), to: linkText(linkname) };
    case 'link': {
      const to = names.file(linkname ?? '');
      return { type, parts: names.add(name, 'file'), to };
    }
    case 'block-device':
    case 'character-device':
    case 'fifo':
      return null;
    default:
      throw new UnsafeArchive('the archive has an entry of an unknown kind');
  }
}

/** In the POSIX format, sparse files are ordinary files whose content begins with a map. */
function isSparse({ pax }: Header): boolean {
  const keywords = typeof pax === 'object' && pax !== null ? Object.keys(pax) : [];
  return keywords.some((key) => key.startsWith('GNU.sparse.'));
}

function linkText(text: string | null | undefined): string {
  if (text && !text.includes('\0') && Buffer.byteLength(text) <= MAX_LINK) return text;
  throw new UnsafeArchive('the archive has a link without a target');
}

/** The tree at `from` on this host. */
export function treeEntries(from: string): AsyncGenerator<Entry> {
  return entriesOf(from, '', (mode) => mode & PERMISSIONS);
}

/**
 * The same for a clone. Git stores only whether a file is executable, so all users of the job get
 * the owner's rights to read and run it.
 */
export function cloneEntries(from: string): AsyncGenerator<Entry> {
  return entriesOf(from, '', (mode) => forAll(mode & 0o700));
}

/**
 * A process of the user who made the tree may still replace parts of it by links: what is read lies in
 * the tree, since each step starts at the open directory above and follows no link.
 */
async function* entriesOf(
  from: string,
  path: string,
  modeOf: (mode: number) => number,
): AsyncGenerator<Entry> {
  const stat = await lstat(from);
  const mode = modeOf(stat.mode);
  if (stat.isSymbolicLink()) {
    yield { type: 'symlink', path, to: await readlink(from) };
  } else if (stat.isFile()) {
    const file = await open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const opened = await file.stat();
    // It closes the file at its end. A pipe in the place of the file has no bytes.
    const size = opened.isFile() ? opened.size : 0;
    const content = size > 0 ? file.createReadStream({ end: size - 1 }) : Readable.from([]);
    if (size === 0) await file.close();
    yield { type: 'file', path, mode, size, content };
  } else if (stat.isDirectory()) {
    const dir = await open(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      yield { type: 'directory', path, mode };
      const here = `/proc/self/fd/${dir.fd}`;
      for (const name of (await readdir(here)).sort()) {
        yield* entriesOf(join(here, name), posix.join(path, name), modeOf);
      }
    } finally {
      await dir.close();
    }
  }
}

function forAll(mode: number): number {
  const shared = mode & 0o500;
  return mode | (shared >> 3) | (shared >> 6);
}
