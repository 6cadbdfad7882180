/** Local files as a tar stream, and the other way round. */
import { constants, createReadStream, createWriteStream } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  type Extract,
  type ExtractEvents,
  extract,
  type Header,
  type Pack,
  pack,
} from 'tar-stream';
import { CliError } from '../../errors.ts';

export interface Counts {
  files: number;
  bytes: number;
}

/** `source` under the name `root`. Sockets, devices and pipes have no content to copy. */
export function packed(source: string, root: string, counts: Counts): Pack {
  const archive = pack();
  addTo(archive, source, root, counts).then(
    () => archive.finalize(),
    (error: Error) => archive.destroy(error),
  );
  return archive;
}

async function addTo(archive: Pack, path: string, name: string, counts: Counts): Promise<void> {
  const info = await lstat(path);
  const entry = { name, mode: info.mode & 0o777, mtime: info.mtime };
  if (info.isSymbolicLink()) {
    archive.entry({ ...entry, type: 'symlink', linkname: await readlink(path) });
  } else if (info.isDirectory()) {
    archive.entry({ ...entry, type: 'directory' });
    for (const child of (await readdir(path)).toSorted()) {
      await addTo(archive, join(path, child), `${name}/${child}`, counts);
    }
  } else if (info.isFile()) {
    const target = archive.entry({ ...entry, size: info.size });
    // Up to its size at the start: a log may grow meanwhile.
    const source = info.size === 0 ? null : createReadStream(path, { end: info.size - 1 });
    if (source === null) target.end(undefined);
    else {
      source.on('data', (chunk) => {
        counts.bytes += chunk.length;
      });
      await pipeline(source, target);
    }
    counts.files += 1;
  }
}

/** The content of an entry. */
type Source = ExtractEvents['entry'][1];

/** Below the folder that is copied (`./a/b`), or nothing for a single file; null: outside. */
function partsOf(name: string): readonly string[] | null {
  const isInFolder = name === '.' || name.startsWith('./');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.startsWith('/')) return null;
  if (isInFolder) return parts;
  return parts.length === 1 ? [] : null;
}

/** The state of a copy. */
interface Unpacking {
  readonly target: string;
  readonly counts: Counts;
  readonly onLeftOut: OnLeftOut;
  /** Paths of the links that this copy has made, all of which lead to places in `target`. */
  readonly links: Set<string>;
  /** Paths of the files that this copy has written. */
  readonly files: Set<string>;
}

/** An entry that was not written. */
export interface LeftOut {
  /** In the archive. */
  readonly name: string;
  readonly why: string;
  /** Whether it is what was to be copied, not an entry of it. */
  readonly isSource: boolean;
}

export type OnLeftOut = (entry: LeftOut) => void;

/**
 * Writes an archive of the content of a folder, or of one file, to `target`. The archive comes from a job, so
 * nothing is written outside of `target`, whatever its names and links are, and no link that it makes leads out:
 * the next program that writes to the folder would follow it.
 */
export function unpackTo(target: string, counts: Counts, onLeftOut: OnLeftOut): Extract {
  const archive = extract();
  const unpacking = {
    target,
    counts,
    onLeftOut,
    links: new Set<string>(),
    files: new Set<string>(),
  };
  archive.on('entry', (header, content, next) => {
    // The archive reports it.
    content.on('error', () => {});
    unpackEntry(unpacking, header, content).then(
      () => next(),
      (error: Error) => archive.destroy(error),
    );
  });
  return archive;
}

async function unpackEntry(unpacking: Unpacking, header: Header, content: Source): Promise<void> {
  const { target, counts, links, files } = unpacking;
  const parts = partsOf(header.name);
  if (parts === null) throw refusal(`a file has an invalid name: ${header.name}`);
  const leaveOut = (why: string): void =>
    unpacking.onLeftOut({ name: header.name, why, isSource: parts.length === 0 });
  await refuseLinks(target, parts);
  const path = join(target, ...parts);
  const mode = (header.mode ?? 0o644) & 0o777;
  switch (header.type) {
    case 'directory':
      await mkdir(path, { recursive: true, mode: mode | 0o700 });
      break;
    case 'symlink': {
      const linked = header.linkname ?? '';
      const why = await whyNotLinked(unpacking, parts, linked);
      if (why !== null) {
        leaveOut(`it is a link to ${linked || 'nothing'}${why}`);
        break;
      }
      await rm(path, { force: true });
      await symlink(linked, path);
      links.add(path);
      files.delete(path);
      break;
    }
    case 'link': {
      // A second name of a file of this archive. A hard link to anything else would give the archive a way to it.
      const source = join(target, ...(partsOf(header.linkname ?? '') ?? []));
      if (!files.has(source)) {
        leaveOut(`it is a hard link to ${header.linkname}, which was not copied`);
        break;
      }
      if (source === path) break;
      await rm(path, { force: true });
      await copyFile(source, path, constants.COPYFILE_EXCL);
      links.delete(path);
      files.add(path);
      counts.files += 1;
      break;
    }
    case 'file':
    case 'contiguous-file':
      // Never through an existing link.
      await rm(path, { force: true });
      content.on('data', (chunk) => {
        counts.bytes += (chunk as Buffer).length;
      });
      await pipeline(content, createWriteStream(path, { mode, flags: 'wx' }));
      links.delete(path);
      files.add(path);
      counts.files += 1;
      return;
    default:
      leaveOut(`it is a ${header.type}`);
  }
  content.resume();
}

/** No `tar` makes such an archive. */
function refusal(why: string): CliError {
  return new CliError('The archive of the job is not a copy of its files', {
    why,
    next: 'check which program `tar` is in the job: it makes the archive',
  });
}

/** `target` too: an archive may contain a link in its place. */
async function refuseLinks(target: string, parts: readonly string[]): Promise<void> {
  for (let count = 0; count < parts.length; count += 1) {
    const folder = join(target, ...parts.slice(0, count));
    const info = await lstat(folder).catch(() => null);
    if (info === null) throw refusal(`a file is in a folder that is not there: ${parts.join('/')}`);
    if (info.isDirectory()) continue;
    const isLink = info.isSymbolicLink();
    throw new CliError(`${folder} is ${isLink ? 'a link, ' : ''}not a folder`, {
      ...(isLink ? { why: 'nothing is written through links, which may lead anywhere' } : {}),
      next: isLink
        ? 'name the folder that the link leads to, or another one'
        : 'name another folder',
    });
  }
}

/**
 * Why a link at `parts` is not made; null: it leads to a place in `target`. It may begin with `..`, which starts at the
 * folder of the link. It may not have `..` after a name, because that name may itself be a link. Links on the way must
 * be of this copy: they lead to places inside.
 */
async function whyNotLinked(
  { target, links }: Unpacking,
  parts: readonly string[],
  linked: string,
): Promise<string | null> {
  // Without a folder, there is no inside.
  if (parts.length === 0 || linked === '') return '';
  if (isAbsolute(linked)) return OUTSIDE;
  // On Windows both separate names.
  const names = linked.split(/[\\/]/).filter((name) => name !== '' && name !== '.');
  const place = placeFrom(parts.slice(0, -1), names);
  if (place === null) return OUTSIDE;
  const firstName = names.findIndex((name) => name !== '..');
  if (firstName !== -1 && names.includes('..', firstName)) {
    return ', and a `..` after a name is not followed: the name may be a link that leads out';
  }
  for (let count = 1; count <= place.length; count += 1) {
    const path = join(target, ...place.slice(0, count));
    const info = await lstat(path).catch(() => null);
    if (info?.isSymbolicLink() && !links.has(path)) {
      return ', which leads through a link that was there before';
    }
  }
  return null;
}

const OUTSIDE = ', outside of the folder';

/** Where `names` lead to from a folder if none of them is a link; null: outside. */
function placeFrom(folder: readonly string[], names: readonly string[]): readonly string[] | null {
  const place = [...folder];
  for (const name of names) {
    if (name !== '..') place.push(name);
    else if (place.pop() === undefined) return null;
  }
  return place;
}
