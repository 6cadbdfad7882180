import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../base/errors.ts';

export interface LockHandle {
  release(): void;
}

/** The report to the process that cannot have the lock. */
export interface LockRefusal {
  readonly message: string;
  readonly fix: string;
}

/**
 * Ensures that a single process uses an SQLite database. The operating system holds `<db>.lock`
 * (through SQLite's own file lock), so the lock ends with its process even after a crash, and a
 * reused process id cannot be mistaken for the holder. `<db>.pid` only names the holder.
 * `refusal`: the text of the `store_locked` that is thrown, with the holder; by default for a server that starts.
 */
export function lockDatabase(
  path: string,
  now: () => number,
  refusal: (who: string) => LockRefusal = (who) => ({
    message: `The database ${path} is in use by another server (${who}).`,
    fix: 'Stop that server first, or run several servers on one PostgreSQL database (DSTACK_DATABASE_URL=postgres://…).',
  }),
): LockHandle {
  const lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (error) {
    lock.close();
    const { message, fix } = refusal(holderText(path));
    throw new StoreError('store_locked', message, fix, error);
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

function holderText(path: string): string {
  const holder = readHolder(path);
  return holder ? `process ${holder.pid}, started ${holder.startedAt}` : 'another process';
}

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(`${path}.pid`, 'utf8')) as Holder;
  } catch {
    // Only for the message: the holder may not have written it yet.
    return null;
  }
}
