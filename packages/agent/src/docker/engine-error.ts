import { JobFailure } from '../executor/job-failure.ts';

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

/**
 * Names the step, as dstack 0.22.5 does (`pullImage error: …`), and its object, which the Engine's
 * message may omit.
 */
export function creationFailure(attempt: string, error: unknown, subject?: string): JobFailure {
  if (error instanceof JobFailure) return error;
  const message = engineErrorMessage(error);
  const isNamed = subject === undefined || message.includes(subject);
  const named = isNamed ? message : `${subject}: ${message}`;
  const text = `${attempt} error: ${named}${adviceFor(message)}`;
  return new JobFailure('creating_container_error', text, { cause: error });
}

/** What the host lacks, where the Engine's message does not name it. */
function adviceFor(message: string): string {
  if (message.includes('could not select device driver')) {
    return ' (is the NVIDIA Container Toolkit installed on this host, and Docker restarted since?)';
  }
  if (message.includes('runtime name: habana')) {
    return " (is Habana's container runtime installed on this host?)";
  }
  return '';
}
