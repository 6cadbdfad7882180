import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../base/errors.ts';

export interface LockHandle {
  release(): void;
}

/**
 * Ensures that a single process uses an SQLite database. The operating system holds `<db>.lock`
 * (through SQLite's own file lock), so the lock ends with its process even after a crash, and a
 * reused process id cannot be mistaken for the holder. `<db>.pid` only names the holder.
 */
export function lockDatabase(path: string, now: () => number): LockHandle {
  const lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (error) {
    lock.close();
    throw locked(path, error);
  }
  writeHolder(path, now);
  return { release: () => lock.close() };
}

interface Holder {
  readonly pid: number;
  readonly startedAt: string;
}

function writeHolder(path: string, now: () => number): void {
  const holder: Holder = {
    pid: process.pid,
    startedAt: new Date(now() / 1000 - process.uptime() * 1000).toISOString(),
  };
  const temporary = `${path}.pid.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  renameSync(temporary, `${path}.pid`);
}

function locked(path: string, cause: unknown): StoreError {
  const holder = readHolder(path);
  const who = holder ? `process ${holder.pid}, started ${holder.startedAt}` : 'another process';
  return new StoreError(
    'store_locked',
    `The database ${path} is in use by another server (${who}).`,
    'Stop that server first, or run several servers on one PostgreSQL database (DSTACK_DATABASE_URL=postgres://…).',
    cause,
  );
}

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(`${path}.pid`, 'utf8')) as Holder;
  } catch {
    // Only for the message: the holder may not have written it yet.
    return null;
  }
}
