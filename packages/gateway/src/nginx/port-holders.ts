import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** `State` of a listening socket in `/proc/net/tcp`. */
const LISTEN = '0A';

/** The program that listens on a TCP port of this host; null = none. */
export function portHolder(port: number): string | null {
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => inodesOf(path, port)),
  );
  if (inodes.size === 0) return null;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!holds(pid, inodes)) continue;
    return `${textOf(`/proc/${pid}/comm`).trim() || 'a program'} (pid ${pid})`;
  }
  return 'a program of another user';
}

function inodesOf(path: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = textOf(path).split('\n').slice(1);
  return rows.flatMap((row) => {
    const fields = row.trim().split(/\s+/);
    return fields[3] === LISTEN && fields[1]?.endsWith(`:${hex}`) ? [fields[9] ?? ''] : [];
  });
}

function holds(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const [, inode = ''] = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`)) ?? [];
      return inodes.has(inode);
    });
  } catch {
    // It has ended, or belongs to another user.
    return false;
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
