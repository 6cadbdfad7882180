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
export function engineMessage(error: unknown): string {
  const { json, message } = error as EngineError;
  return json?.message ?? message?.replace(/^\(HTTP code \d+\) .*? - /, '').trim() ?? String(error);
}

/**
 * Names the step, as dstack 0.22.5 does (`pullImage error: …`), and its object, which the Engine's
 * message may omit.
 */
export function creationFailure(attempt: string, error: unknown, subject?: string): JobFailure {
  if (error instanceof JobFailure) return error;
  const reason = engineMessage(error);
  const detail =
    subject === undefined || reason.includes(subject) ? reason : `${subject}: ${reason}`;
  const message = `${attempt} error: ${detail}${adviceFor(reason)}`;
  return new JobFailure('creating_container_error', message, { cause: error });
}

/** What the host lacks, where the Engine's message does not name it. */
function adviceFor(reason: string): string {
  if (reason.includes('could not select device driver')) {
    return ' (is the NVIDIA Container Toolkit installed on this host, and Docker restarted since?)';
  }
  if (reason.includes('runtime name: habana')) {
    return " (is Habana's container runtime installed on this host?)";
  }
  return '';
}
