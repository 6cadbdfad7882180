import type pg from 'pg';

/**
 * The server has vanished: the network swallows what is sent to it, of which the system itself would
 * tell after a quarter of an hour only. The code is PostgreSQL's for a failed connection.
 */
export class NoAnswerError extends Error {
  override name = 'NoAnswerError';
  readonly code = '08006';

  constructor(limitMs: number) {
    super(`PostgreSQL gave no answer within ${limitMs / 1000} s; the connection was given up`);
  }
}

/**
 * Waits for an answer, but not for ever (0: for ever). What it does then is to break the connection,
 * for nobody knows what its server is still going to say: whatever was asked on it fails, and a pool
 * does not take it back.
 */
export async function answered<T>(
  client: pg.Client,
  limitMs: number,
  answer: Promise<T>,
): Promise<T> {
  if (limitMs === 0) return await answer;
  const giveUp = () => client.connection.stream.destroy(new NoAnswerError(limitMs));
  const timer = setTimeout(giveUp, limitMs);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for connections to end in good order; after the limit (0: none) they are broken off. */
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
