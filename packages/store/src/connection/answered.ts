import type pg from 'pg';

/**
 * The server has vanished: the network drops the packets to it, which the operating system would
 * report only after a quarter of an hour. The code is PostgreSQL's for a failed connection.
 */
export class DatabaseTimeoutError extends Error {
  override name = 'DatabaseTimeoutError';
  readonly code = '08006';

  constructor(limitMs: number) {
    super(`PostgreSQL gave no answer within ${limitMs / 1000} s; the connection was given up`);
  }
}

/**
 * Waits for an answer up to the limit (0: without one). After the limit it destroys the connection,
 * because a late answer would be taken as that of another statement: all statements on it fail, and
 * the pool discards it.
 */
export async function answered<T>(
  client: pg.Client,
  limitMs: number,
  answer: Promise<T>,
): Promise<T> {
  if (limitMs === 0) return await answer;
  const giveUp = () => client.connection.stream.destroy(new DatabaseTimeoutError(limitMs));
  const timer = setTimeout(giveUp, limitMs);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until connections end in good order; after the limit (0: none) it destroys them. */
export async function ended(
  clients: Iterable<pg.Client>,
  limitMs: number,
  end: Promise<void>,
): Promise<void> {
  if (limitMs === 0) return await end;
  const timer = setTimeout(() => {
    for (const client of clients) client.connection.stream.destroy();
  }, limitMs);
  try {
    await end;
  } finally {
    clearTimeout(timer);
  }
}
