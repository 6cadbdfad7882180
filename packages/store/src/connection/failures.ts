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

/**
 * The connection broke before PostgreSQL answered: what was requested last may have happened. Errors
 * without a code of PostgreSQL come from the network.
 */
export function isAnswerLost(error: unknown): boolean {
  const code = sqlState(error);
  return code === null || code.startsWith('08') || code.startsWith('57P');
}

/** PostgreSQL's code of an error; null: it is not from PostgreSQL. None of its codes begins as `EPIPE` does. */
export function sqlState(error: unknown): string | null {
  const { code } = asDriverError(error);
  return typeof code === 'string' && /^(?!E)[0-9A-Z]{5}$/.test(code) ? code : null;
}

function asDriverError(error: unknown): DriverError {
  return typeof error === 'object' && error !== null ? (error as DriverError) : {};
}
