import { JobFailure } from '../jobs/executor.ts';

interface EngineError extends Error {
  readonly statusCode?: number;
  readonly json?: { readonly message?: string };
}

export function statusOf(error: unknown): number | null {
  return (error as EngineError | null)?.statusCode ?? null;
}

/** The Engine's own words. */
export function wordsOf(error: unknown): string {
  const { json, message } = error as EngineError;
  return json?.message ?? message ?? String(error);
}

/** Names what was being attempted, as dstack 0.22.5 does (`pullImage error: …`). */
export function creationFailure(attempt: string, error: unknown): JobFailure {
  if (error instanceof JobFailure) return error;
  const message = `${attempt} error: ${wordsOf(error)}`;
  return new JobFailure('creating_container_error', message, { cause: error });
}
