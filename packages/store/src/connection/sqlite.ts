import { closeSync, existsSync, fdatasync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { errorMessage } from '@dstack/contract/error-message';
import {
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  Kysely,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteStatement,
} from 'kysely';
import { StoreError } from '../base/errors.ts';
import type { DB } from '../schema/db.ts';
import { beforeAnswer, isInBackground } from './callers.ts';
import { ConnectionTurns } from './connection-turns.ts';
import { DurableCommits } from './durable-commits.ts';
import { EventLoopTurns } from './event-loop-turns.ts';
import { lockDatabase } from './lock-file.ts';
import { type OnStatement, statementLog } from './statements.ts';

/** Prepared statements kept; more than the number of distinct frequent queries. */
const MAX_STATEMENTS = 500;

/**
 * Pages of 4 KiB in the log before they are moved to the file. A move syncs both on the thread that serves
 * everything. The same few pages are written again and again, so that a longer log also moves fewer of them
 * for each commit.
 */
const PAGES_OF_LOG = 8000;

export interface SqliteConnection {
  readonly db: Kysely<DB>;
  /**
   * Calls the listener for each instance that is inserted, updated or deleted, whichever statement
   * does it. The schema must exist.
   */
  watchInstances(listener: (fleetId: string, instanceId: string) => void): void;
  close(): Promise<void>;
}

/**
 * Opens the file (or creates it, readable by its owner only) with settings that lose no commit.
 * `sync`: resolves when what is written to the open file is on the disk.
 * Throws `store_locked` if another server has it, `store_unreachable` if it cannot be opened.
 */
export function openSqlite(
  path: string,
  now: () => number,
  onStatement?: OnStatement,
  sync: (file: number) => Promise<void> = promisify(fdatasync),
): SqliteConnection {
  prepareFile(path);
  const lock = lockDatabase(path, now);
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5000 });
  // Incremental vacuum comes first: it can only be chosen for a file without tables, and changes nothing
  // in others.
  database.exec(`
    pragma auto_vacuum = incremental;
    pragma journal_mode = wal;
    pragma cache_size = -16384;
    pragma temp_store = memory;
    pragma wal_autocheckpoint = ${PAGES_OF_LOG};
  `);
  const log = openLog(database, path);
  const commits =
    log === null
      ? null
      : new DurableCommits(
          () => sync(log),
          () => moveLog(database),
        );
  // With NORMAL, SQLite itself syncs its log only before it moves pages from there to the file, so nothing
  // is ever damaged; that commits are on the disk before any caller sees them is the work of `commits`.
  // FULL syncs inside each commit, on the thread that serves everything.
  database.exec(`pragma synchronous = ${commits ? 'normal' : 'full'}`);
  const db = new Kysely<DB>({
    dialect: new OneConnectionDialect(
      adapt(database, () => commits?.committed()),
      commits,
    ),
    log: statementLog(onStatement),
  });
  return {
    db,
    watchInstances: (listener) => watchInstances(database, listener),
    async close() {
      await db.destroy();
      if (database.isOpen) database.close();
      // Those who have committed still wait for it.
      await commits?.settled().catch(() => {});
      if (log !== null) closeSync(log);
      lock.release();
    },
  };
}

/**
 * The write-ahead log, open as long as the database, whose only connection keeps the same file. Null: the
 * file system does not allow one. SQLite's locks are on other files, so that none is lost when this closes.
 */
function openLog(database: DatabaseSync, path: string): number | null {
  const mode = database.prepare('pragma journal_mode').get()?.journal_mode;
  if (mode !== 'wal') return null;
  // The first read creates the file.
  database.prepare('select 1 from sqlite_schema').get();
  return openSync(`${path}-wal`, 'r');
}

/** Moves all commits from the log to the file, which is synced, and empties the log. Throws if it cannot. */
function moveLog(database: DatabaseSync): void {
  const answer = database.prepare('pragma wal_checkpoint(truncate)').get();
  if (answer?.busy !== 0) throw new Error('The log of the database cannot be written again');
}

/**
 * Hands the connection to one caller after another, requests first; before that, it lets other work of the
 * process go first when that is due. A caller goes on when all that it can have written or read is on the disk, while the next
 * one uses the connection already; a request goes on at once, and waits before its answer.
 */
class OneConnectionDialect extends SqliteDialect {
  readonly #commits: DurableCommits | null;

  constructor(database: SqliteDatabase, commits: DurableCommits | null) {
    super({ database });
    this.#commits = commits;
  }

  override createAdapter(): DialectAdapter {
    return new ConnectionsByDriver();
  }

  override createDriver(): Driver {
    const driver = super.createDriver();
    const commits = this.#commits;
    const turns = new EventLoopTurns();
    const connection = new ConnectionTurns();
    const acquire = driver.acquireConnection.bind(driver);
    driver.acquireConnection = async (...options): Promise<DatabaseConnection> => {
      await connection.take(isInBackground());
      await turns.take();
      return acquire(...options);
    };
    driver.releaseConnection = async () => {
      try {
        commits?.idle();
      } finally {
        connection.give();
      }
      if (commits) await beforeAnswer(() => commits.settled());
    };
    return driver;
  }
}

/** Kysely's own mutex would be held until all is on the disk, and wakes all waiting callers each time. */
class ConnectionsByDriver extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

/** A database in the memory of this process, for simulations and tests; closing writes it to `file`, if given. */
export function openMemorySqlite(onStatement?: OnStatement, file?: string): SqliteConnection {
  const database = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true });
  const db = new Kysely<DB>({
    dialect: new SqliteDialect({ database: adapt(database, () => undefined) }),
    log: statementLog(onStatement),
  });
  return {
    db,
    watchInstances: (listener) => watchInstances(database, listener),
    async close() {
      if (file !== undefined && database.isOpen) database.prepare('vacuum into ?').run(file);
      await db.destroy();
    },
  };
}

/** By triggers that belong to this connection and are not stored. */
function watchInstances(
  database: DatabaseSync,
  listener: (fleetId: string, instanceId: string) => void,
): void {
  database.function('instance_written', (fleetId, instanceId) => {
    listener(String(fleetId), String(instanceId));
    return null;
  });
  const written = (row: string) => `select instance_written(${row}.fleet_id, ${row}.id);`;
  const triggers = [
    ['insert', written('new')],
    ['update', `${written('old')} ${written('new')}`],
    ['delete', written('old')],
  ];
  for (const [event, steps] of triggers) {
    database.exec(`create temp trigger instances_${event}
      after ${event} on main.instances begin ${steps} end`);
  }
}

function prepareFile(path: string): void {
  try {
    makeFolder(dirname(path));
    closeSync(openSync(path, 'a', 0o600));
  } catch (error) {
    throw new StoreError(
      'store_unreachable',
      `The database file ${path} cannot be opened: ${errorMessage(error)}`,
      'Check that its directory exists and that this user may write there.',
      error,
    );
  }
}

/**
 * Not Node's `recursive`, which never returns if a parent exists but accepts no folders (`/proc`).
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** Statements that leave nothing to be made durable. */
const WRITES_NOTHING = /^\s*(?:select|begin|rollback)\b/i;

/** The interface that Kysely's SQLite dialect expects, on `node:sqlite`. `committed`: after each commit. */
function adapt(database: DatabaseSync, committed: () => void): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close() {
      statements.clear();
      database.close();
    },
    prepare(sql) {
      const known = statements.get(sql);
      if (known) return known;
      if (sql.startsWith('pragma incremental_vacuum')) return whole(database, sql);
      const prepared = adaptStatement(database.prepare(sql));
      const watched = WRITES_NOTHING.test(sql)
        ? prepared
        : reporting(database, prepared, committed);
      const statement = forTransactions(database, sql, watched);
      if (statements.size >= MAX_STATEMENTS) {
        const [oldest] = statements.keys();
        if (oldest !== undefined) statements.delete(oldest);
      }
      statements.set(sql, statement);
      return statement;
    },
  };
}

/**
 * A statement without columns that returns a row for each page it frees: `run` would end after the
 * first.
 */
function whole(database: DatabaseSync, sql: string): SqliteStatement {
  const run = () => {
    database.exec(sql);
    return { changes: 0, lastInsertRowid: 0 };
  };
  return { reader: false, run, all: () => [], iterate: () => [][Symbol.iterator]() };
}

/**
 * SQLite rolls back by itself when a disk is full; Kysely's own rollback would then fail and hide
 * the first error.
 */
function forTransactions(
  database: DatabaseSync,
  sql: string,
  statement: SqliteStatement,
): SqliteStatement {
  if (sql !== 'rollback') return statement;
  const nothing = { changes: 0, lastInsertRowid: 0 };
  return {
    ...statement,
    run: (parameters) => (database.isTransaction ? statement.run(parameters) : nothing),
  };
}

/** Reports the end of a transaction, and a write that is a transaction of its own. */
function reporting(
  database: DatabaseSync,
  statement: SqliteStatement,
  committed: () => void,
): SqliteStatement {
  const report = <T>(result: T): T => {
    if (!database.isTransaction) committed();
    return result;
  };
  return {
    ...statement,
    all: (parameters) => report(statement.all(parameters)),
    run: (parameters) => report(statement.run(parameters)),
  };
}

function adaptStatement(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...bind(parameters)),
    run: (parameters) => statement.run(...bind(parameters)),
    iterate: (parameters) => statement.iterate(...bind(parameters)),
  };
}

function bind(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) =>
    typeof value === 'boolean' ? Number(value) : (value as SQLInputValue),
  );
}
