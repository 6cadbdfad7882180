import { withTimeout } from '@dstack/contract/with-timeout';
import { EngineHung } from './host-caused.ts';

/**
 * The longest time for which a start waits for one answer of the engine. A busy disk can delay an answer
 * by minutes; only a daemon that hangs delays it for longer.
 */
const ANSWER_MS = 300_000;

/** The engine's answer. Throws `EngineHung` if there is none in time; a later answer is ignored. */
export function inTime<T>(attempt: string, answer: PromiseLike<T>, ms = ANSWER_MS): Promise<T> {
  return withTimeout(() => answer, {
    ms,
    onTimeout: () => {
      throw new EngineHung(attempt, ms / 1000);
    },
  });
}
