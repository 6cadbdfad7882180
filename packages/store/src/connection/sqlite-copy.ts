/** Copies of an SQLite database: while a server uses it, and back. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { errorMessage } from '@dstack/contract/error-message';
import { StoreError } from '../base/errors.ts';
import { type LockHandle, lockDatabase } from './lock-file.ts';
import { parseDatabaseUrl } from './url.ts';

/** All pages at once: a copy in steps begins anew with each commit of a server. */
const ALL_PAGES = 2 ** 30;

/** The path of an SQLite database; null: PostgreSQL. Throws `StoreError` for an invalid URL. */
export function sqlitePath(url: string): string | null {
  const parsed = parseDatabaseUrl(url);
  return parsed.dialect === 'sqlite' ? parsed.path : null;
}

/** Writes a consistent copy, also while a server uses the database. Throws `StoreError`. */
export async function copySqlite(path: string, target: string): Promise<void> {
  const source = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    await backup(source, target, { rate: ALL_PAGES });
  } finally {
    source.close();
  }
}

/** Files that hold commits beside the database itself. */
const BESIDE = ['', '-wal', '-shm'];

/** A database that no server uses as long as this is not closed. */
export interface StoppedSqlite {
  /** Runs of this database that the other one does not have; the newest first. */
  runsMissingIn(other: string): readonly string[];
  /**
   * Puts another file in the place of the database. The files before get the ending, and are returned by
   * their new names.
   */
  replace(other: string, ending: string): readonly string[];
  close(): void;
}

/** Throws `store_locked` while a server runs. */
export function holdSqlite(path: string, now: () => number): StoppedSqlite {
  const lock: LockHandle = lockDatabase(path, now, (who) => ({
    message: `The database ${path} is in use (${who}).`,
    fix: 'Stop the server that uses it, then run this command again.',
  }));
  return {
    runsMissingIn: (other) => runsMissing(path, other),
    replace: (other, ending) => {
      // The newest commits may be in the log alone, which belongs to the file before.
      const kept = BESIDE.filter((suffix) => existsSync(`${path}${suffix}`)).map((suffix) => {
        renameSync(`${path}${suffix}`, `${path}${ending}${suffix}`);
        return `${path}${ending}${suffix}`;
      });
      renameSync(other, path);
      return kept;
    },
    close: () => {
      lock.release();
      rmSync(`${path}.pid`, { force: true });
    },
  };
}

/** Sets a fact of `Meta` in a copy that no server uses. */
export function setMetaOfCopy(path: string, key: string, value: string): void {
  const database = new DatabaseSync(path);
  try {
    const insert = 'insert into server_meta (key, value) values (?, ?)';
    database
      .prepare(`${insert} on conflict (key) do update set value = excluded.value`)
      .run(key, value);
  } finally {
    database.close();
  }
}

/** Throws `StoreError` `store_unreachable` for a damaged file, and for one of another program. */
export function checkSqlite(path: string): void {
  let found: unknown;
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      found = database.prepare('pragma quick_check(1)').get()?.quick_check;
      database.prepare('select id from runs limit 1').get();
    } finally {
      database.close();
    }
  } catch (error) {
    found = errorMessage(error);
  }
  if (found === 'ok') return;
  throw new StoreError(
    'store_unreachable',
    `The copy of the database is damaged, or of another program: ${String(found)}`,
    'Use another backup.',
  );
}

function runsMissing(path: string, other: string): readonly string[] {
  if (!existsSync(path)) return [];
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    database.prepare('attach database ? as other').run(other);
    const missing = database
      .prepare(
        'select name from runs where id not in (select id from other.runs) order by submitted_at desc',
      )
      .all();
    return missing.map(({ name }) => String(name));
  } finally {
    database.close();
  }
}
