import type { Timestamp } from '@dstack/core';
import type { ServerClock } from '../../clock/server-clock.ts';

/** The other end of a channel to the server. */
interface Asked {
  ask<T>(type: string, data: unknown): Promise<T>;
}

/**
 * Takes over the time of the server, which may be that of its database: what this process counts and grants
 * is judged by it. A server that does not answer changes nothing: the time goes on by the monotonic clock.
 */
export async function followServer(clock: ServerClock, server: Asked): Promise<void> {
  const askedAt = performance.now();
  // An earlier version does not know the question.
  const time = await server.ask<Timestamp>('time', {}).catch(() => null);
  if (time !== null) clock.follow({ time, askedAt, answeredAt: performance.now() });
}
