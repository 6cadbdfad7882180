/** Facts that all backends of one server change together, where no other server does. */
import type { KeptFacts, SharedFacts } from '../kind.ts';

const US_PER_MS = 1000;

/** One change after another. `now`: milliseconds since the epoch. */
export function amendedFacts(
  facts: Pick<KeptFacts, 'get' | 'set'>,
  now: () => number,
): SharedFacts {
  let last: Promise<unknown> = Promise.resolve();
  return {
    amend: (key, change) => {
      const amended = last.then(async () => {
        const { value, result } = change(await facts.get(key), now() * US_PER_MS);
        await facts.set(key, value);
        return result;
      });
      // Its caller gets the error; the next change does not depend on it.
      last = amended.catch(() => {});
      return amended;
    },
  };
}
