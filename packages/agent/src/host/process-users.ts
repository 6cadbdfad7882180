import { readdirSync, readFileSync } from 'node:fs';

/** Living processes by each user id that they have or can switch back to. */
export function processesByUser(): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    for (const uid of usersOf(pid)) found.set(uid, [...(found.get(uid) ?? []), pid]);
  }
  return found;
}

/** Real, effective, saved and file system id; none of a process that has ended. */
function usersOf(pid: number): ReadonlySet<number> {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return new Set();
  }
  if (/^State:\s*[ZX]/m.test(status)) return new Set();
  const ids = /^Uid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  return new Set(ids.map(Number));
}
