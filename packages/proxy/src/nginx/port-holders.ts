import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** `State` of a listening socket in `/proc/net/tcp`. */
const LISTEN = '0A';

/**
 * The program that listens on a TCP port of this host; null = none, or only processes of `except`.
 */
export function portHolder(port: number, except: readonly number[] = []): string | null {
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => inodesOf(path, port)),
  );
  for (const pid of except) for (const inode of socketsOf(String(pid))) inodes.delete(inode);
  if (inodes.size === 0) return null;
  for (const pid of pids()) {
    if (!socketsOf(pid).some((inode) => inodes.has(inode))) continue;
    return `${textOf(`/proc/${pid}/comm`).trim() || 'a program'} (pid ${pid})`;
  }
  return 'a program of another user';
}

/**
 * Processes with this file open whose command line begins with `command`; also if a rotation of logs has lengthened the
 * name of the file, or removed it.
 */
export function processesWith(path: string, command: string): number[] {
  const hasFile = (pid: string) => linksOf(pid).some((link) => link.startsWith(path));
  return pidsOf(command).filter(hasFile).map(Number);
}

/** Processes that were started by another one, and whose command line begins with `command`. */
export function childrenOf(parent: number, command: string): number[] {
  return pidsOf(command)
    .filter((pid) => parentOf(pid) === parent)
    .map(Number);
}

function pidsOf(command: string): string[] {
  return pids().filter((pid) => textOf(`/proc/${pid}/cmdline`).startsWith(command));
}

/** NaN if it has ended. By proc(5), field 4; the second one, a name, may contain anything. */
function parentOf(pid: string): number {
  const stat = textOf(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? Number.NaN);
}

function pids(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function inodesOf(path: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = textOf(path).split('\n').slice(1);
  return rows.flatMap((row) => {
    const fields = row.trim().split(/\s+/);
    return fields[3] === LISTEN && fields[1]?.endsWith(`:${hex}`) ? [fields[9] ?? ''] : [];
  });
}

function socketsOf(pid: string): string[] {
  return linksOf(pid).flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}

/** Targets of the descriptors of a process; none if it has ended or belongs to another user. */
function linksOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
