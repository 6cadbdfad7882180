import { errorMessage } from '@dstack/contract/error-message';
import { sqlState } from './failures.ts';

/** PostgreSQL's code of a connection that failed. */
const CONNECTION_FAILURE = '08006';
const TOO_MANY_CONNECTIONS = '53300';

/**
 * PostgreSQL could not be reached, or its connection broke before it answered: what was requested last may
 * have happened.
 */
export class DatabaseAwayError extends Error {
  override name = 'DatabaseAwayError';
  readonly code: string;

  constructor(cause: unknown) {
    super(errorMessage(cause), { cause });
    this.code = sqlState(cause) ?? CONNECTION_FAILURE;
  }
}

/**
 * An error as that of a database that is away, if it is one. `isBroken`: there is no connection (any more), so an
 * error that PostgreSQL did not send comes from the network.
 */
export function asDatabaseAway(error: unknown, isBroken: boolean): unknown {
  const code = sqlState(error);
  const isAway = code === null ? isBroken : /^08|^57P/.test(code) || code === TOO_MANY_CONNECTIONS;
  return isAway ? new DatabaseAwayError(error) : error;
}
