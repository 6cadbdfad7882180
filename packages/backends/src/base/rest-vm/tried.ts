import { errorMessage } from '@dstack/contract/error-message';
import { BusyError, CredentialsError, NoAnswerError } from '../errors.ts';
import type { CheckResult } from '../port.ts';

/** The result of a check that is one harmless call. */
export async function tried(name: string, call: () => Promise<unknown>): Promise<CheckResult> {
  try {
    await call();
    return { name, ok: true, problem: null };
  } catch (error) {
    const unanswered = error instanceof NoAnswerError || error instanceof BusyError;
    const refused = error instanceof CredentialsError;
    return { name, ok: false, problem: errorMessage(error), unanswered, refused };
  }
}
