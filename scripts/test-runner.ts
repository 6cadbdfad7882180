import { type RunnerTestCase, TestRunner } from 'vitest';

/** A test whose every try failed after this share of its limit has waited for what does not come. */
const STALLED_SHARE = 0.85;

type Ended = Pick<RunnerTestCase, 'name' | 'timeout'> & {
  readonly file: object;
  readonly result?:
    | { readonly state: string; readonly attempts?: readonly { readonly duration: number }[] }
    | undefined;
};

/**
 * When a test has used up its limit, the tests after it in its file fail at once: they share its hosts and
 * servers, and each would wait as long for what does not answer.
 */
export class Stalls {
  #last: Ended | null = null;

  ended(test: Ended): void {
    const { state, attempts = [] } = test.result ?? {};
    const isLong = attempts.every(({ duration }) => duration >= test.timeout * STALLED_SHARE);
    if (state === 'fail' && isLong) this.#last = test;
  }

  /** Why the tests of a file are not run any more; null if they are. */
  reason(file: object): string | null {
    if (this.#last?.file !== file) return null;
    return `not run, since an earlier test of this file used up its limit: ${this.#last.name}`;
  }
}

/** The runner of suites that start processes. `scripts/check.ts` runs a failed file once more, from its beginning. */
export default class extends TestRunner {
  readonly #stalls = new Stalls();

  override async onBeforeRunTask(test: RunnerTestCase): Promise<void> {
    await super.onBeforeRunTask(test);
    const message = test.mode === 'skip' ? null : this.#stalls.reason(test.file);
    if (message !== null) test.result = { state: 'fail', errors: [{ name: 'Error', message }] };
  }

  override onAfterRunTask(test: RunnerTestCase): void {
    super.onAfterRunTask(test);
    this.#stalls.ended(test);
  }
}
