import { createHash } from 'node:crypto';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type pg from 'pg';
import { asDatabaseAway } from './database-away.ts';
import { type PoolClients, processIdOf } from './pool-clients.ts';

/** Uses after which a statement is worth a plan that is kept. */
const OFTEN = 5;

/** The most prepared statements: the database keeps some ten kilobytes per connection for each. */
const MAX_PREPARED = 200;

/** The most texts whose uses are counted, so that ever new texts do not fill the memory. */
const MAX_COUNTED = 1000;

/**
 * Statements that the server runs often are parsed and planned once per connection: for small
 * queries that is most of the database's work.
 */
export function preparedPool(pool: pg.Pool, clients: PoolClients): PostgresPool {
  const names = new StatementNames();
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect().catch((error: unknown) => {
        throw asDatabaseAway(error, true);
      });
      await clients.limit(client).catch((error: unknown) => {
        client.release(true);
        throw asDatabaseAway(error, true);
      });
      const query = (text: string, values: readonly unknown[]) => {
        const name = names.of(text);
        const statement = { text, values: [...values], ...(name !== null && { name }) };
        return clients.query(client, statement);
      };
      return {
        // Only used to cancel queries, which Kysely does through it.
        processID: processIdOf(client),
        query: query as unknown as PostgresPoolClient['query'],
        release: (destroy?: boolean) => client.release(destroy),
      };
    },
  };
}

/** Which statements are prepared, and their names. */
export class StatementNames {
  readonly #names = new Map<string, string>();
  readonly #uses = new Map<string, number>();

  /** Null: not to be prepared (yet). */
  of(text: string): string | null {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (!isPreparable(text) || this.#names.size >= MAX_PREPARED) return null;
    const uses = (this.#uses.get(text) ?? 0) + 1;
    this.#uses.delete(text);
    if (uses < OFTEN) {
      this.#uses.set(text, uses);
      const [oldest] = this.#uses.keys();
      if (this.#uses.size > MAX_COUNTED && oldest !== undefined) this.#uses.delete(oldest);
      return null;
    }
    const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
    this.#names.set(text, name);
    return name;
  }
}

/**
 * Reads only, and only those that name their columns: once a newer server adds a column to a table,
 * PostgreSQL refuses kept plans of `select *`.
 */
function isPreparable(text: string): boolean {
  return text.startsWith('select ') && !text.includes('*');
}
