/** Error codes of the system (ENOSPC, EDQUOT) and of PostgreSQL (53100) for a full disk. */
const FULL = new Set(['ENOSPC', 'EDQUOT', '53100']);

/** Error codes of files and folders whose type or mode forbids their use. */
const FORBIDDEN = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR']);

/** SQLite's primary result code for a full disk; extended codes carry it in their low byte. */
const SQLITE_FULL = 13;

interface Trouble {
  readonly code?: unknown;
  readonly errcode?: unknown;
  readonly path?: unknown;
  readonly cause?: unknown;
}

/** Whether something failed because a disk of the server, or of its database, is full. */
export function isDiskFull(error: unknown): boolean {
  for (let each = error as Trouble | null | undefined; each; each = each.cause as Trouble) {
    if (typeof each.code === 'string' && FULL.has(each.code)) return true;
    if (typeof each.errcode === 'number' && (each.errcode & 0xff) === SQLITE_FULL) return true;
  }
  return false;
}

/** Whether something failed because this process, or the system, has too many open files. */
export function isOutOfFiles(error: unknown): boolean {
  for (let each = error as Trouble | null | undefined; each; each = each.cause as Trouble) {
    if (each.code === 'EMFILE' || each.code === 'ENFILE') return true;
  }
  return false;
}

/** The file or folder that this user may not use; null for all other errors. */
export function forbiddenPath(error: unknown): string | null {
  const { code, path } = (error ?? {}) as Trouble;
  return typeof code === 'string' && FORBIDDEN.has(code) && typeof path === 'string' ? path : null;
}
