import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { StoreLogger } from '../base/logger.ts';
import type { DB } from '../schema/db.ts';
import { ended } from './answered.ts';
import type { PostgresLimits } from './limits.ts';
import { PoolClients } from './pool-clients.ts';
import { preparedPool } from './prepared-pool.ts';
import { type OnStatement, statementLog } from './statements.ts';

const INT8 = 20;
const NUMERIC = 1700;
const JSON_TYPE = 114;
const JSONB = 3802;

/** Instants and byte counts fit into a double; the table descriptions parse JSON. */
export const TYPES: pg.CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (format !== 'binary') {
      if (oid === INT8 || oid === NUMERIC) return Number;
      if (oid === JSON_TYPE || oid === JSONB) return (text: string) => text;
    }
    return pg.types.getTypeParser(oid, format);
  },
};

/**
 * Settings of every connection. The first keep-alive is sent after these ten seconds of silence
 * (the system's default is two hours), so a database whose machine or network has failed is noticed
 * within half a minute, also by the connection that only listens.
 */
export const CONNECTION: pg.ClientConfig = {
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
  connectionTimeoutMillis: 10_000,
};

export interface PostgresConnection {
  readonly db: Kysely<DB>;
  /** Backend process ids of this pool: notifications from them are our own. */
  readonly processIds: ReadonlySet<number>;
  close(): Promise<void>;
}

export interface PostgresOptions {
  readonly connectionString: string;
  /**
   * Connections that stay open after their first use, and how many more there may be for a while.
   */
  readonly poolSize: number;
  readonly maxOverflow: number;
  readonly limits: PostgresLimits;
  readonly logger: StoreLogger;
  readonly onStatement?: OnStatement;
}

export function openPostgres(options: PostgresOptions): PostgresConnection {
  const { poolSize, maxOverflow, limits } = options;
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    min: poolSize,
    max: poolSize + maxOverflow,
    types: TYPES,
    application_name: 'dstack',
    ...CONNECTION,
  });
  const clients = new PoolClients(pool, limits, options.logger);
  const log = statementLog(options.onStatement);
  const dialect = new PostgresDialect({ pool: preparedPool(pool, clients) });
  const db = new Kysely<DB>({ dialect, log });
  return {
    db,
    processIds: clients.processIds,
    close: () => ended(clients.open, limits.close, db.destroy()),
  };
}
