import { errorMessage } from '@dstack/contract/error-message';
import type { Cli } from './context.ts';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
/** A server that is restarted or upgraded is back within this time. */
const PATIENCE_MS = 5 * 60_000;

/**
 * Repeats a read-only request of a command that watches while the server does not answer, since it is
 * restarted or cannot be reached. `onAway` is called once, before the first delay, with the error. Returns null
 * if `signal` is aborted first. Throws every other error, and this one after five minutes.
 */
export async function outlast<T>(
  cli: Pick<Cli, 'wait'>,
  request: () => Promise<T>,
  signal: AbortSignal,
  onAway: (error: unknown) => void,
): Promise<T | null> {
  let delay = FIRST_DELAY_MS;
  for (let waited = 0; !signal.aborted; waited += delay) {
    try {
      return await request();
    } catch (error) {
      if (waited >= PATIENCE_MS || !(await isPassing(error))) throw error;
      if (waited === 0) onAway(error);
      else delay = Math.min(delay * 2, LONGEST_DELAY_MS);
    }
    await cli.wait(delay, signal).catch(() => undefined);
  }
  return null;
}

/** Contains the address of the server, which may be wrong if it has not answered before. */
export const awayText = (error: unknown): string =>
  `The server does not answer: trying again (${errorMessage(error)})`;

/** An `onAway` that prints a line to stderr. */
export const reportAway =
  ({ io }: Pick<Cli, 'io'>) =>
  (error: unknown): void =>
    io.info(awayText(error));

async function isPassing(error: unknown): Promise<boolean> {
  const { ConnectionError, NotDstackError, ServerError, TimeoutError } = await import(
    '@dstack/client'
  );
  // A reverse proxy answers for a server that is away.
  if (error instanceof NotDstackError) return error.status >= 500;
  return [ConnectionError, ServerError, TimeoutError].some((kind) => error instanceof kind);
}
