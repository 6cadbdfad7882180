import { errorMessage } from '@dstack/contract/error-message';
import { BusyError, CredentialsError, NoAnswerError } from '../errors.ts';
import type { CheckResult } from '../port.ts';

/** The result of a check by one harmless call. `name`: what it tries, for people. */
export async function tried(name: string, call: () => Promise<unknown>): Promise<CheckResult> {
  try {
    await call();
    return { name, ok: true, problem: null };
  } catch (error) {
    return {
      ...{ name, ok: false, problem: errorMessage(error) },
      unanswered: error instanceof NoAnswerError || error instanceof BusyError,
      refused: error instanceof CredentialsError,
    };
  }
}
