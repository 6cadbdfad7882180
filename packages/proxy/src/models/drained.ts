import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/**
 * Resolves when the client has received enough to get more, or has disconnected. Leaves no listeners: a
 * slow client makes a stream wait thousands of times.
 */
export async function drained(client: ServerResponse): Promise<void> {
  // Node emits neither event any more.
  if (client.destroyed) return;
  const waited = new AbortController();
  const { signal } = waited;
  try {
    await Promise.race([once(client, 'drain', { signal }), once(client, 'close', { signal })]);
  } finally {
    waited.abort();
  }
}
