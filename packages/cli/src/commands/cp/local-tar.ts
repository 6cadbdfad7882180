/** Local files as a tar stream, and the other way round. */
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Extract, extract, type Pack, pack } from 'tar-stream';

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

/** Below the folder that is copied (`./a/b`), or nothing for a single file; null: outside. */
function partsOf(name: string): readonly string[] | null {
  const isInFolder = name === '.' || name.startsWith('./');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.startsWith('/')) return null;
  if (isInFolder) return parts;
  return parts.length === 1 ? [] : null;
}

/**
 * Writes an archive of the content of a folder, or of one file, to `target`. The archive comes from a job, so
 * that nothing is written outside of `target`, whatever its names and links are.
 */
export function unpackTo(target: string, counts: Counts): Extract {
  const archive = extract();
  archive.on('entry', (header, content, next) => {
    const parts = partsOf(header.name);
    // The archive reports it.
    content.on('error', () => {});
    const write = async (): Promise<void> => {
      if (parts === null) throw new Error(`the archive has an invalid name: ${header.name}`);
      await refuseLinks(target, parts);
      const path = join(target, ...parts);
      const mode = (header.mode ?? 0o644) & 0o777;
      switch (header.type) {
        case 'directory':
          await mkdir(path, { recursive: true, mode: mode | 0o700 });
          content.resume();
          return;
        case 'symlink':
          await rm(path, { force: true });
          await symlink(header.linkname ?? '', path);
          content.resume();
          return;
        case 'file':
        case 'contiguous-file':
          // Never through an existing link.
          await rm(path, { force: true });
          content.on('data', (chunk) => {
            counts.bytes += (chunk as Buffer).length;
          });
          await pipeline(content, createWriteStream(path, { mode, flags: 'wx' }));
          counts.files += 1;
          return;
        default:
          content.resume();
      }
    };
    write().then(
      () => next(),
      (error: Error) => archive.destroy(error),
    );
  });
  return archive;
}

/** `target` too: an archive may contain a link in its place. */
async function refuseLinks(target: string, parts: readonly string[]): Promise<void> {
  for (let count = 0; count < parts.length; count += 1) {
    const folder = join(target, ...parts.slice(0, count));
    const info = await lstat(folder);
    if (!info.isDirectory()) throw new Error(`${folder} is not a folder`);
  }
}
