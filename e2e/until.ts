/** Waits of tests that report what did not happen. */
import { setTimeout as delay } from 'node:timers/promises';
import { TestRunner } from 'vitest';

/** The limit of a wait in a hook, which is shorter than the limit of the hook. */
const HOOK_LIMIT_MS = 100_000;
/** The share of a test's limit for waiting; the rest is for the description of a failure. */
const SHARE = 0.9;

/** The pause between two looks. Each may start a program, and what is waited for needs the processor too. */
const SHORTEST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 300;

let current: { readonly key: string; readonly limit: number } | null = null;

/** When the try of the test that runs now has to give up, before its own limit ends it without a cause. */
function limit(): number {
  const test = TestRunner.getCurrentTest();
  const now = performance.now();
  if (!test) return now + HOOK_LIMIT_MS;
  const key = `${test.id} ${test.result?.retryCount}`;
  if (current?.key !== key) current = { key, limit: now + test.timeout * SHARE };
  return current.limit;
}

/** Polls until the condition holds. `describe` is called at the limit, for the error. */
export async function waitFor<T>(
  look: () => T | Promise<T>,
  is: (seen: T) => boolean,
  describe: (seen: T) => string | Promise<string>,
): Promise<T> {
  const end = limit();
  for (let pause = SHORTEST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    const start = performance.now();
    const seen = await look();
    if (is(seen)) return seen;
    const now = performance.now();
    if (now > end) throw new Error(`did not happen in time: ${await describe(seen)}`);
    await delay(Math.max(pause, now - start));
  }
}

/** Polls until the condition holds. */
export async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  await waitFor(is, Boolean, () => String(is));
}
