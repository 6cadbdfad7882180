/** Errors between tests: rejections and events of emitters that no test waits for. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { SerializedError } from 'vitest';
import type { Reporter } from 'vitest/node';

export interface StrayError {
  /** Absolute path of the suite that ran; null if it is not known. */
  readonly file: string | null;
  readonly message: string;
}

/** Where `StrayErrors` writes, since Vitest's JSON report does not contain them. */
export const STRAY_ERRORS = '.cache/stray-errors.json';

/** A reporter of Vitest. */
export default class StrayErrors implements Reporter {
  onTestRunEnd(_suites: unknown, errors: readonly SerializedError[]): void {
    writeFileSync(STRAY_ERRORS, JSON.stringify(errors.map(strayError)));
  }
}

export function strayError(error: SerializedError): StrayError {
  const file = typeof error.VITEST_TEST_PATH === 'string' ? error.VITEST_TEST_PATH : null;
  return { file, message: error.stack ?? `${error.name ?? 'Error'}: ${error.message}` };
}

/** None if the runner died before it could write them. */
export function readStrayErrors(): readonly StrayError[] {
  try {
    return JSON.parse(readFileSync(STRAY_ERRORS, 'utf8'));
  } catch {
    return [];
  }
}
