import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { StoreLogger } from '../logger.ts';
import type { DB } from '../schema/db.ts';
import { preparedPool } from './prepared-pool.ts';
import { type OnStatement, statementLog } from './statements.ts';

const INT8 = 20;
const NUMERIC = 1700;
const JSON_TYPE = 114;
const JSONB = 3802;

/** Instants and byte counts fit into a double; JSON is parsed by the table descriptions. */
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
 * How every connection is made. The first keep-alive is sent after these ten seconds of silence
 * (the system's own default is two hours): a database whose machine or network has gone is noticed
 * within half a minute, also by the connection that only listens.
 */
export const CONNECTION: pg.ClientConfig = {
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
  connectionTimeoutMillis: 10_000,
};

export interface PostgresConnection {
  readonly db: Kysely<DB>;
  /** Backend process ids of this pool: whose notifications are our own. */
  readonly processIds: ReadonlySet<number>;
}

export function openPostgres(options: {
  readonly connectionString: string;
  readonly poolSize: number;
  readonly logger: StoreLogger;
  readonly onStatement?: OnStatement;
}): PostgresConnection {
  const processIds = new Set<number>();
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.poolSize,
    types: TYPES,
    application_name: 'dstack',
    ...CONNECTION,
  });
  // `processID` is not in the type declarations.
  const processId = (client: pg.PoolClient) =>
    (client as unknown as { processID: number }).processID;
  pool.on('connect', (client) => processIds.add(processId(client)));
  pool.on('remove', (client) => processIds.delete(processId(client)));
  // Without a listener an idle connection that breaks would end the process.
  pool.on('error', (error) => {
    options.logger.warn({ err: error }, 'an idle connection to PostgreSQL broke');
  });
  const log = statementLog(options.onStatement);
  const dialect = new PostgresDialect({ pool: preparedPool(pool) });
  return { db: new Kysely<DB>({ dialect, log }), processIds };
}
