import { ConnectionError, ServerError } from './errors.ts';
import type { ServerSentEvent } from './event-stream.ts';

/** Delays before a lost stream is opened again, in ms; the last one repeats. */
const DELAYS_MS = [100, 250, 500, 1000, 2000, 2000, 2000, 5000];
/** About five minutes without an event: the server will not be back soon. */
const MAX_FAILURES = 65;

/**
 * One endless stream over as many connections as needed. `open` is called again whenever the server
 * closes the stream or the connection breaks. Every event received resets the count.
 */
export async function* reopening(
  open: () => AsyncIterable<ServerSentEvent>,
  wait: (ms: number, signal?: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<ServerSentEvent, void> {
  let failures = 0;
  for (;;) {
    signal.throwIfAborted();
    try {
      for await (const event of open()) {
        failures = 0;
        yield event;
      }
    } catch (error) {
      const lost = error instanceof ConnectionError || error instanceof ServerError;
      if (!lost || failures >= MAX_FAILURES) throw error;
    }
    await wait(DELAYS_MS[Math.min(failures, DELAYS_MS.length - 1)] ?? 5000, signal);
    failures += 1;
  }
}
