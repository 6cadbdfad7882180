/** `dstack server backup` and `restore`: they work on the files of a server, not on a running one. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { DatabaseRestored } from '@dstack/contract/wire';
import {
  checkSqlite,
  copySqlite,
  holdSqlite,
  StoreError,
  setMetaOfCopy,
  sqlitePath,
} from '@dstack/store';
import { serverConfigPath } from '../process/server-folders.ts';
import { StartError } from '../process/start-error.ts';
import { PRODUCT_VERSION } from '../process/version.ts';
import { compileSettings } from '../settings/settings.ts';
import { type BackupManifest, readBackup, writeBackup } from './backup-file.ts';
import { RESTORED } from './restored.ts';

export interface BackupPlace {
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  /** Microseconds since the epoch. */
  readonly now: () => number;
  /** Called before each step, which may take minutes for a large database. */
  readonly onStep?: (step: BackupStep) => void;
}

export type BackupStep = 'copy' | 'check' | 'write' | 'read';

/** Also while the server runs. Throws `StartError`. */
export async function backUp({ file, env, now, onStep }: BackupPlace): Promise<BackupManifest> {
  const { config, database } = placesOf(env);
  const target = resolve(file);
  if (existsSync(target)) throw new StartError(`${target} exists`, { next: 'name another file' });
  if (!existsSync(database)) throw new StartError(`there is no database at ${database}`);
  const copy = `${target}.database`;
  const manifest: BackupManifest = {
    ...{ format: 1, version: PRODUCT_VERSION },
    created_at: new Date(now() / 1000).toISOString(),
  };
  const text = existsSync(config) ? readFileSync(config, 'utf8') : null;
  try {
    // Readable by this user only, like the database itself.
    writeFileSync(copy, '', { mode: 0o600, flag: 'wx' });
    onStep?.('copy');
    await copySqlite(database, copy);
    onStep?.('check');
    checkSqlite(copy);
    onStep?.('write');
    await writeBackup(target, { manifest, config: text }, copy);
  } catch (error) {
    throw asStartError(error);
  } finally {
    await removeDatabase(copy);
  }
  return manifest;
}

export interface Restore {
  readonly manifest: BackupManifest;
  /** Names of runs that only the present database has; the newest first. */
  readonly lostRuns: readonly string[];
  /** Replaces the files, and returns where those before are. */
  carryOut(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Reads the backup, and keeps servers from starting until `close`. Throws `StartError`. */
export async function openRestore({ file, env, now, onStep }: BackupPlace): Promise<Restore> {
  const { config, database } = placesOf(env);
  const copy = `${database}.restoring`;
  if (!existsSync(dirname(database))) {
    throw new StartError(`there is no folder ${dirname(database)}`, {
      next: 'make it, or set DSTACK_SERVER_DIR to the folder of the server',
    });
  }
  const held = hold(database, now);
  const close = async () => {
    held.close();
    await removeDatabase(copy);
  };
  try {
    onStep?.('read');
    const { manifest, config: text } = await readBackup(resolve(file), copy);
    onStep?.('check');
    checkSqlite(copy);
    const ending = `.before-restore-${new Date(now() / 1000).toISOString().replaceAll(':', '-')}`;
    return {
      manifest,
      lostRuns: held.runsMissingIn(copy),
      carryOut: async () => {
        const restored: DatabaseRestored = {
          backup_created_at: manifest.created_at,
          restored_at: new Date(now() / 1000).toISOString(),
          backup_version: manifest.version,
        };
        setMetaOfCopy(copy, RESTORED, JSON.stringify(restored));
        await removeBeside(copy);
        return [...held.replace(copy, ending), ...replaceConfig(config, text, ending)];
      },
      close,
    };
  } catch (error) {
    await close();
    throw asStartError(error);
  }
}

function hold(database: string, now: () => number) {
  try {
    return holdSqlite(database, now);
  } catch (error) {
    throw asStartError(error);
  }
}

/** The keys of the database are in it. */
function replaceConfig(path: string, text: string | null, ending: string): string[] {
  const before = existsSync(path) ? readFileSync(path, 'utf8') : null;
  if (text === null || text === before) return [];
  const temporary = `${path}.restoring`;
  writeFileSync(temporary, text, { mode: 0o600 });
  const kept = `${path}${ending}`;
  if (before !== null) renameSync(path, kept);
  renameSync(temporary, path);
  return before === null ? [] : [kept];
}

function placesOf(env: NodeJS.ProcessEnv) {
  const { dir, databaseUrl } = compileSettings(env);
  const database = sqlitePath(databaseUrl);
  if (database !== null) return { config: serverConfigPath(dir), database };
  throw new StartError('this server uses PostgreSQL, which has backups of its own', {
    next: 'use pg_dump and pg_restore, and keep DSTACK_ENCRYPTION_KEY or encryption.keys of config.yml (docs/operations.md)',
  });
}

async function removeDatabase(path: string): Promise<void> {
  await rm(path, { force: true });
  await removeBeside(path);
}

/** Reading a database makes these files. */
async function removeBeside(path: string): Promise<void> {
  for (const suffix of ['-wal', '-shm']) await rm(`${path}${suffix}`, { force: true });
}

function asStartError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  return new StartError(error.message, { next: error.fix, cause: error });
}
