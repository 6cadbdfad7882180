interface EngineError extends Error {
  readonly statusCode?: number;
  readonly json?: { readonly message?: string };
}

export function statusOf(error: unknown): number | null {
  return (error as EngineError | null)?.statusCode ?? null;
}

/**
 * The Engine's own message, without the prefix that its client adds to answers that are not JSON.
 */
export function engineErrorMessage(error: unknown): string {
  const { json, message } = error as EngineError;
  return json?.message ?? message?.replace(/^\(HTTP code \d+\) .*? - /, '').trim() ?? String(error);
}
