/** The files by which a server finds the workers that an earlier one has started. */

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { socketPath } from '../hosts/socket-folder.ts';
import { serverFolder } from '../process/server-folders.ts';
import type { Address } from './protocol.ts';

export interface WorkerRecord {
  readonly id: string;
  readonly pid: number;
  /** With the pid it identifies a process; null where the system has no `/proc`. */
  readonly startTime: string | null;
  readonly socket: string;
  readonly address: Address;
  readonly build: string;
}

/** The announcement of a worker has a meaning for this time (ms). */
const STARTING_MS = 15_000;
/** A killed process has ended after about this time (ms). */
const KILLED_MS = 5;
/** A process that waits for a disk ends later. */
const MOST_KILLED_MS = 5000;

/** Paths of the workers of one server; `dir` is the server's folder. */
export interface WorkerPaths {
  /** Records, logs and spools. */
  readonly dir: string;
  /** Folder with short paths, for this user only. */
  readonly sockets: string;
  readonly serverSocket: string;
}

export function workerPaths(serverDir: string): WorkerPaths {
  const dir = serverFolder(serverDir, 'proxy');
  const sockets = dirname(socketPath(dir));
  return { dir, sockets, serverSocket: join(sockets, 'server.sock') };
}

export function writeRecord(dir: string, record: WorkerRecord): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = recordPath(dir, record.id);
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/**
 * Written before a worker is started: it may hold the address although its server was killed before the
 * record, and is then found by its command line.
 */
export function announceWorker(dir: string, id: string): void {
  writeFileSync(announcementPath(dir, id), '', { mode: 0o600 });
}

export function withdrawAnnouncement(dir: string, id: string): void {
  rmSync(announcementPath(dir, id), { force: true });
}

/** Removes what servers left behind that were killed. */
export function withdrawAnnouncements(dir: string): void {
  for (const name of names(dir, STARTING)) rmSync(join(dir, name), { force: true });
}

/** An earlier server has begun to start a worker a moment ago. `serverDir`: of that server. */
export function isWorkerStarting(serverDir: string): boolean {
  const { dir } = workerPaths(serverDir);
  return names(dir, STARTING).some((name) => {
    const written = statSync(join(dir, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return Math.abs(Date.now() - written) < STARTING_MS;
  });
}

/** Where processes are looked for, and whose: a stranger may start one with the same arguments. */
const PROCESSES = { proc: '/proc', uid: process.getuid?.() ?? null };

/** Also of workers that were announced by a server that was killed before their record. */
export function readWorkerRecords(dir: string, processes = PROCESSES): WorkerRecord[] {
  const records = names(dir, '.json').flatMap((name) => {
    try {
      return [JSON.parse(readFileSync(join(dir, name), 'utf8')) as WorkerRecord];
    } catch {
      // Deleted meanwhile.
      return [];
    }
  });
  const announced = names(dir, STARTING).map((name) => name.slice(0, -STARTING.length));
  const missing = announced.filter((it) => !records.some(({ id }) => id === it));
  if (missing.length === 0) return records;
  return [...records, ...processesOf(dir, processes).filter(({ id }) => missing.includes(id))];
}

/** Workers that run now, by their command lines; none where the system has no `/proc`. */
function processesOf(dir: string, { proc, uid }: typeof PROCESSES): WorkerRecord[] {
  return names(proc, '').flatMap((name) => {
    const path = join(proc, name);
    const words = statSync(path, { throwIfNoEntry: false })?.uid === uid ? commandLine(path) : [];
    const option = (it: string) => words[words.indexOf(`--${it}`) + 1] ?? '';
    if (!words.includes('--id') || option('dir') !== dir) return [];
    const behind = words.includes('--behind') ? { behind: option('behind') } : {};
    const place = { host: option('host'), port: Number(option('port')), url: option('url') };
    const address = { ...place, ...behind };
    const [pid, startTime] = [Number(name), startTimeOf(Number(name), proc)];
    const [socket, build] = [option('socket'), option('build')];
    return [{ id: option('id'), pid, startTime, socket, address, build }];
  });
}

function commandLine(path: string): string[] {
  try {
    return readFileSync(join(path, 'cmdline'), 'utf8').split('\0');
  } catch {
    // Not a process, or one that has ended.
    return [];
  }
}

/** Ids of workers with folders for what the server is to store. */
export function spooledIds(dir: string): string[] {
  const ids = [USES, COUNTS].flatMap((end) =>
    names(dir, end).map((name) => name.slice(0, -end.length)),
  );
  return [...new Set(ids)];
}

/** Folders of a worker: for what models have used, and for counted requests. */
export function spoolPaths(dir: string, id: string) {
  return { uses: join(dir, `${id}${USES}`), counts: join(dir, `${id}${COUNTS}`) };
}

export function removeSpools(dir: string, id: string): void {
  for (const path of Object.values(spoolPaths(dir, id)))
    rmSync(path, { force: true, recursive: true });
}

/** Workers of an earlier server listen at the address. */
export function isHeldByWorkers({
  dir,
  host,
  port,
}: Pick<Address, 'host' | 'port'> & { readonly dir: string }): boolean {
  const records = readWorkerRecords(workerPaths(dir).dir);
  return records.some(
    (record) =>
      isWorkerAlive(record) && record.address.host === host && record.address.port === port,
  );
}

export function deleteRecord(
  dir: string,
  { id, socket }: Pick<WorkerRecord, 'id' | 'socket'>,
): void {
  rmSync(recordPath(dir, id), { force: true });
  rmSync(socket, { force: true });
}

const STARTING = '.starting';
const announcementPath = (dir: string, id: string) => join(dir, `${id}${STARTING}`);
export const recordPath = (dir: string, id: string) => join(dir, `${id}.json`);
export const logPath = (dir: string) => join(dir, 'workers.log');
const USES = '.uses';
const COUNTS = '.counts';

/**
 * Null: there is no such process, or it has ended and its parent has not noticed. Its first thread may have
 * ended before others, which still have its sockets.
 */
export function startTimeOf(pid: number | 'self', proc = '/proc'): string | null {
  try {
    const stat = readFileSync(join(proc, `${pid}`, 'stat'), 'utf8');
    // The name of the program, in parentheses, may contain spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const hasEnded = fields[0] === 'Z' && Number(fields[17]) <= 1;
    return hasEnded ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

/** Resolves when the process no longer listens, or after ten seconds. */
export async function killWorker(record: Pick<WorkerRecord, 'pid' | 'startTime'>): Promise<void> {
  // Without its start time another process may have got the id.
  if (record.startTime === null) return;
  for (let pause = KILLED_MS; isWorkerAlive(record) && pause <= MOST_KILLED_MS; pause *= 2) {
    try {
      process.kill(record.pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
      return;
    }
    await delay(pause);
  }
}

export function isWorkerAlive({
  pid,
  startTime,
}: Pick<WorkerRecord, 'pid' | 'startTime'>): boolean {
  if (startTime !== null) return startTimeOf(pid) === startTime;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function names(dir: string, ending: string): string[] {
  try {
    return readdirSync(dir).filter((name) => name.endsWith(ending));
  } catch {
    // No worker was ever started.
    return [];
  }
}
