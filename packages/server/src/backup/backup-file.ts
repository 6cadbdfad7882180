/** The file of a backup: a tar archive with what a server needs to start again where it was. */
import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { errorMessage } from '@dstack/contract/error-message';
import { extract, pack } from 'tar-stream';
import { StartError } from '../process/start-error.ts';

export interface BackupManifest {
  /** The format version of the backup file; a file with another number is refused. */
  readonly format: 1;
  readonly version: string;
  /** ISO 8601. */
  readonly created_at: string;
}

export interface BackupParts {
  readonly manifest: BackupManifest;
  /** Text of `config.yml`; null: the server has none. */
  readonly config: string | null;
}

const MANIFEST = 'manifest.json';
const CONFIG = 'config.yml';
const DATABASE = 'dstack.db';

/** Writes the whole file or none. `database`: path of a copy. */
export async function writeBackup(
  file: string,
  { manifest, config }: BackupParts,
  database: string,
): Promise<void> {
  const tar = pack();
  const partial = `${file}.partial`;
  const filled = (async () => {
    tar.entry({ name: MANIFEST, mode: 0o600 }, JSON.stringify(manifest));
    if (config !== null) tar.entry({ name: CONFIG, mode: 0o600 }, config);
    const { size } = statSync(database);
    await pipeline(createReadStream(database), tar.entry({ name: DATABASE, mode: 0o600, size }));
    tar.finalize();
  })();
  filled.catch((error) => tar.destroy(error));
  try {
    // It contains keys.
    await pipeline(tar, createWriteStream(partial, { mode: 0o600, flags: 'wx', flush: true }));
    await filled;
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Writes the copy of the database to `database`, and returns the rest. Throws `StartError`. */
export async function readBackup(file: string, database: string): Promise<BackupParts> {
  if (!existsSync(file)) throw new StartError(`${file} does not exist`);
  const entries = extract();
  const read = pipeline(createReadStream(file), entries);
  // An error of the source ends the loop below.
  read.catch(() => {});
  let manifest: BackupManifest | null = null;
  let config: string | null = null;
  let hasDatabase = false;
  try {
    for await (const entry of entries) {
      switch (entry.header.name) {
        case MANIFEST:
          manifest = manifestOf(await text(entry));
          break;
        case CONFIG:
          config = await text(entry);
          break;
        case DATABASE:
          await pipeline(entry, createWriteStream(database, { mode: 0o600, flush: true }));
          hasDatabase = true;
          break;
        default:
          entry.resume();
      }
    }
    await read;
  } catch (error) {
    throw damaged(file, errorMessage(error));
  }
  if (!manifest || !hasDatabase) throw damaged(file, 'it is not complete');
  return { manifest, config };
}

function manifestOf(json: string): BackupManifest {
  const manifest = JSON.parse(json) as BackupManifest;
  if (manifest.format === 1) return manifest;
  throw new Error(`its format is ${String(manifest.format)}, and this version reads format 1`);
}

const damaged = (file: string, why: string) =>
  new StartError(`${file} is not a backup of \`dstack server backup\`: ${why}`);
