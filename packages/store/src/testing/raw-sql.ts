import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { parseDatabaseUrl } from '../connection/url.ts';

/** Runs a statement without the store, and returns its rows. */
export async function rawSql(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const parsed = parseDatabaseUrl(url);
  if (parsed.dialect === 'sqlite') {
    const database = new DatabaseSync(parsed.path);
    try {
      return database
        .prepare(statement)
        .all()
        .map((row) => ({ ...row }));
    } finally {
      database.close();
    }
  }
  const client = new pg.Client({ connectionString: parsed.connectionString });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
