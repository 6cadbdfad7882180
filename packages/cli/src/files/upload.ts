import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import type { FileArchiveMapping } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { CliError } from '../errors.ts';
import { withSpinner } from '../terminal/live.ts';
import type { Archive } from './archive.ts';
import { type Upload, withoutAdvice } from './upload-limit.ts';

/** One entry of `files` in a configuration. */
export interface FileMapping {
  readonly local_path: string;
  readonly path: string;
}

export interface PackedFiles {
  /** Those that the server has already. */
  readonly known: readonly FileArchiveMapping[];
  /** The entries with absolute local paths, as sent to the server. */
  readonly mappings: FileMapping[];
  /** The others, which `upload` sends. */
  readonly missing: readonly Upload[];
  /** Uploads the others; returns all, in the order of the entries. Called once the user has agreed. */
  readonly upload: () => Promise<readonly FileArchiveMapping[]>;
}

/** Packs every entry of `files` and looks for archives that the server has already. */
export async function packFiles(
  files: readonly FileMapping[] | null | undefined,
  directory: string,
  connection: Pick<Connection, 'client'>,
  cli: Pick<Cli, 'home' | 'io'>,
): Promise<PackedFiles> {
  const mappings = (files ?? []).map((file) => ({
    local_path: absolutePath(file.local_path, directory, cli.home),
    path: file.path,
  }));
  // All entries are checked before the first byte is sent.
  for (const { local_path } of mappings) await requirePath(local_path);
  if (mappings.length === 0) return { known: [], mappings, missing: [], upload: async () => [] };
  const { packPath } = await import('./archive.ts');
  const packed = await withSpinner(cli.io, 'Packing files...', async () => {
    const entries: PackedEntry[] = [];
    for (const { local_path, path } of mappings) {
      const archive = await packPath(local_path);
      const known = await connection.client.files.findByHash(archive.hash);
      entries.push({ path, localPath: local_path, archive, id: known?.id ?? null });
    }
    return entries;
  });
  return {
    known: packed.flatMap(({ id, path }) => (id === null ? [] : [{ id, path }])),
    mappings,
    missing: packed.flatMap((entry) => (entry.id === null ? [uploadOf(entry)] : [])),
    upload: () =>
      withSpinner(cli.io, 'Uploading files...', () => uploadMissing(packed, connection)),
  };
}

interface PackedEntry {
  readonly path: string;
  readonly localPath: string;
  readonly archive: Archive;
  /** Null: the server does not have it yet. */
  readonly id: string | null;
}

function uploadOf({ archive, localPath }: Pick<PackedEntry, 'archive' | 'localPath'>): Upload {
  const { hash, bytes, files } = archive;
  return { what: localPath, hash, length: bytes.byteLength, files };
}

async function uploadMissing(
  packed: readonly PackedEntry[],
  connection: Pick<Connection, 'client'>,
): Promise<FileArchiveMapping[]> {
  const archives: FileArchiveMapping[] = [];
  for (const entry of packed) {
    const { id, path, archive } = entry;
    const known =
      id === null
        ? await withoutAdvice(uploadOf(entry), () =>
            connection.client.files.upload(archive.hash, archive.bytes),
          )
        : { id };
    archives.push({ id: known.id, path });
  }
  return archives;
}

/** `~` is the home directory; other paths are relative to the configuration's directory. */
export function absolutePath(path: string, directory: string, home: string): string {
  if (path === '~') return home;
  if (path.startsWith('~/')) return join(home, path.slice(2));
  return isAbsolute(path) ? path : resolve(directory, path);
}

async function requirePath(path: string): Promise<void> {
  const next = 'correct the entry; relative paths start at the directory of the configuration';
  try {
    await access(path, constants.R_OK);
  } catch (error) {
    throw new CliError(`Cannot read ${path}`, {
      why: 'an entry of `files` in the configuration names it',
      next,
      cause: error,
    });
  }
  const info = await stat(path);
  if (info.isFile() || info.isDirectory()) return;
  // A pipe would be waited for without end, and some devices never end.
  throw new CliError(`Cannot upload ${path}`, {
    why: 'an entry of `files` in the configuration names it, and it is neither a file nor a folder',
    next,
  });
}
