import type { DirectoryEntry } from './open-files.ts';

const KINDS: ReadonlyMap<number, string> = new Map([
  [0o140000, 's'],
  [0o120000, 'l'],
  [0o100000, '-'],
  [0o060000, 'b'],
  [0o040000, 'd'],
  [0o020000, 'c'],
  [0o010000, 'p'],
]);

/** A line like that of `ls -l`, which clients print unchanged. Owners as numbers, times in UTC. */
export function listingLine({ name, stats }: DirectoryEntry): string {
  const kind = KINDS.get(stats.mode & 0o170000) ?? '?';
  const bits = [6, 3, 0].map((shift) => {
    const part = (stats.mode >> shift) & 7;
    return `${part & 4 ? 'r' : '-'}${part & 2 ? 'w' : '-'}${part & 1 ? 'x' : '-'}`;
  });
  const [, day, month, year, time] = stats.mtime.toUTCString().split(' ');
  const half = 182 * 86_400_000;
  const when = Date.now() - stats.mtimeMs < half ? time?.slice(0, 5) : year;
  const columns = [
    `${kind}${bits.join('')}`,
    String(stats.nlink).padStart(4),
    String(stats.uid).padEnd(8),
    String(stats.gid).padEnd(8),
    String(stats.size).padStart(8),
    `${month} ${day} ${(when ?? '').padStart(5)}`,
    name,
  ];
  return columns.join(' ');
}
