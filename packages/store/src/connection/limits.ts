/** Time limits on a connection to PostgreSQL, in milliseconds; 0 = none. */
export interface PostgresLimits {
  /** One statement, by the clock of the database. */
  readonly statement: number;
  /** A statement's wait for a lock that another transaction holds. */
  readonly lock: number;
  /** The idle time of a transaction between two statements, during which it keeps its locks. */
  readonly idleInTransaction: number;
  /** The answer to a statement, by our clock, because a server that has vanished never answers. */
  readonly answer: number;
  /** The orderly end of all connections. */
  readonly close: number;
}

export const DEFAULT_COMMAND_TIMEOUT_MS = 60_000;

/** By how much our limit exceeds the server's own, whose error should arrive first. */
const GRACE_MS = 5_000;

const LOCK_MS = 30_000;
const IDLE_IN_TRANSACTION_MS = 60_000;
const CLOSE_MS = 10_000;

/**
 * Limits of normal operation. Our transactions are short: they wait for nothing outside the
 * database.
 */
export function postgresLimits(commandTimeoutMs: number): PostgresLimits {
  const limited = commandTimeoutMs > 0;
  return {
    statement: commandTimeoutMs,
    answer: limited ? commandTimeoutMs + GRACE_MS : 0,
    lock: limited ? Math.min(commandTimeoutMs, LOCK_MS) : LOCK_MS,
    idleInTransaction: IDLE_IN_TRANSACTION_MS,
    close: CLOSE_MS,
  };
}

/** Limits of migrations, which may rewrite large tables or wait for those of another server. */
export const MIGRATION_LIMITS: PostgresLimits = {
  ...postgresLimits(3_600_000),
  lock: 600_000,
};
