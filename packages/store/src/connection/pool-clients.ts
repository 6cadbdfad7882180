import type pg from 'pg';
import type { StoreLogger } from '../base/logger.ts';
import { answered } from './answered.ts';
import { asDatabaseAway } from './database-away.ts';
import type { PostgresLimits } from './limits.ts';

/** For one statement of a new connection, which is practically part of connecting. */
const SETTINGS_ANSWER_MS = 10_000;

/**
 * Set by a statement and not while connecting: PgBouncer refuses connections with unknown settings. The last one
 * ends a session in the middle of a statement when its server was killed: it would keep its locks for as long
 * as it waits for others. PostgreSQL has it since version 14, and only where it can look at a socket.
 */
const SETTINGS = `select set_config('statement_timeout', $1, false),
  set_config('lock_timeout', $2, false),
  set_config('idle_in_transaction_session_timeout', $3, false),
  (select set_config(name, '1000', false) from pg_settings
    where name = 'client_connection_check_interval' and version() like '%linux%')`;

/** The connections of a pool: their limits, and their failures. */
export class PoolClients {
  readonly #limits: PostgresLimits;
  readonly #logger: StoreLogger;
  readonly #open = new Set<pg.PoolClient>();
  readonly #limited = new WeakSet<pg.PoolClient>();
  readonly #failures = new WeakMap<pg.PoolClient, Error>();
  /** Backend process ids of the pool: notifications from them are our own. */
  readonly processIds = new Set<number>();

  constructor(pool: pg.Pool, limits: PostgresLimits, logger: StoreLogger) {
    this.#limits = limits;
    this.#logger = logger;
    pool.on('connect', (client) => this.#add(client));
    pool.on('remove', (client) => this.#remove(client));
    // The connection itself reports what breaks it while it is idle.
    pool.on('error', () => {});
  }

  get open(): Iterable<pg.PoolClient> {
    return this.#open;
  }

  /** Sets the limits of its session, before its first use. */
  async limit(client: pg.PoolClient): Promise<void> {
    if (this.#limited.has(client)) return;
    const { statement, lock, idleInTransaction } = this.#limits;
    const values = [statement, lock, idleInTransaction].map(String);
    await answered(client, SETTINGS_ANSWER_MS, client.query(SETTINGS, values));
    this.#limited.add(client);
  }

  async query(client: pg.PoolClient, config: pg.QueryConfig): Promise<pg.QueryResult> {
    // A rollback after the failure must not hide it: `pg` would report only that the connection is
    // closed.
    const failure = this.#failures.get(client);
    if (failure) throw asDatabaseAway(failure, true);
    try {
      return await answered(client, this.#limits.answer, client.query(config));
    } catch (error) {
      throw asDatabaseAway(error, this.#failures.has(client));
    }
  }

  #add(client: pg.PoolClient): void {
    this.#open.add(client);
    this.processIds.add(processIdOf(client));
    // Without a listener, a connection that breaks between two queries would end the process.
    client.on('error', (error: Error) => {
      if (this.#failures.has(client)) return;
      this.#failures.set(client, error);
      this.#logger.warn({ err: error }, 'a connection to PostgreSQL broke');
    });
  }

  #remove(client: pg.PoolClient): void {
    this.#open.delete(client);
    this.processIds.delete(processIdOf(client));
  }
}

/** `processID` is not in the type declarations. */
export function processIdOf(client: pg.PoolClient): number {
  return (client as unknown as { readonly processID: number }).processID;
}
