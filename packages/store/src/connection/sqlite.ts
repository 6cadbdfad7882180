import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { errorMessage } from '@dstack/contract/error-message';
import {
  type Driver,
  Kysely,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteStatement,
} from 'kysely';
import { StoreError } from '../errors.ts';
import type { DB } from '../schema/db.ts';
import { EventLoopTurns } from './event-loop-turns.ts';
import { lockDatabase } from './lock-file.ts';

import { type OnStatement, statementLog } from './statements.ts';

/** Prepared statements kept; more than the number of distinct frequent queries. */
const MAX_STATEMENTS = 500;

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
 * Throws `store_locked` if another server has it, `store_unreachable` if it cannot be opened.
 */
export function openSqlite(
  path: string,
  now: () => number,
  onStatement?: OnStatement,
): SqliteConnection {
  prepareFile(path);
  const lock = lockDatabase(path, now);
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5000 });
  // FULL: a commit is on the disk when it returns, also with WAL. Incremental vacuum comes first: it
  // can only be chosen for a file without tables, and changes nothing in others.
  database.exec(`
    pragma auto_vacuum = incremental;
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma cache_size = -16384;
    pragma temp_store = memory;
  `);
  const db = new Kysely<DB>({
    dialect: new FairDialect({ database: adapt(database) }),
    log: statementLog(onStatement),
  });
  return {
    db,
    watchInstances: (listener) => watchInstances(database, listener),
    async close() {
      await db.destroy();
      if (database.isOpen) database.close();
      lock.release();
    },
  };
}

/**
 * Before it hands out the connection, it lets other work of the process go first when that is due.
 */
class FairDialect extends SqliteDialect {
  override createDriver(): Driver {
    const driver = super.createDriver();
    const turns = new EventLoopTurns();
    const acquire = driver.acquireConnection.bind(driver);
    driver.acquireConnection = async (...options) => {
      const connection = await acquire(...options);
      await turns.take();
      return connection;
    };
    return driver;
  }
}

/** A database in the memory of this process, for simulations and tests. */
export function openMemorySqlite(onStatement?: OnStatement): SqliteConnection {
  const database = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true });
  const db = new Kysely<DB>({
    dialect: new SqliteDialect({ database: adapt(database) }),
    log: statementLog(onStatement),
  });
  return {
    db,
    watchInstances: (listener) => watchInstances(database, listener),
    close: () => db.destroy(),
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

/** The interface that Kysely's SQLite dialect expects, on `node:sqlite`. */
function adapt(database: DatabaseSync): SqliteDatabase {
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
      const statement = forTransactions(database, sql, adaptStatement(database.prepare(sql)));
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
