/** Errors of a database, distinguished by the codes of both drivers. */
interface DriverError {
  readonly code?: unknown;
  readonly errcode?: unknown;
}

const SQLITE_UNIQUE = new Set([1555, 2067]);
const SQLITE_FOREIGN_KEY = 787;

export function isUniqueViolation(error: unknown): boolean {
  const { code, errcode } = asDriverError(error);
  return code === '23505' || (typeof errcode === 'number' && SQLITE_UNIQUE.has(errcode));
}

export function isForeignKeyViolation(error: unknown): boolean {
  const { code, errcode } = asDriverError(error);
  return code === '23503' || errcode === SQLITE_FOREIGN_KEY;
}

/** Deadlock or serialisation failure: the same transaction may succeed when tried again. */
export function isContention(error: unknown): boolean {
  const { code } = asDriverError(error);
  return code === '40001' || code === '40P01';
}

function asDriverError(error: unknown): DriverError {
  return typeof error === 'object' && error !== null ? (error as DriverError) : {};
}
