/** Errors of model endpoints in the form of OpenAI's API, with the `detail` of dstack 0.22.5 beside it. */
import { errorMessage } from '@dstack/contract/error-message';
import { RefusedBody } from '../intake/body-refusal.ts';
import { UnprocessableError } from '../intake/parse-json.ts';
import { openAiErrorType } from '../refusals/openai-error.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';

/** The fields that clients of OpenAI read; a model may send more. */
export interface ModelError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | number | null;
}

/** An error that the model itself has sent. */
export class ModelRefusal extends ProxyRefusal {
  override name = 'ModelRefusal';
  readonly error: Partial<ModelError>;

  constructor(status: number, error: Partial<ModelError>, retryAfter: number | null) {
    super(status, error.message ?? '', retryAfter === null ? {} : { retryAfter });
    this.error = error;
  }
}

/** Reads a response that is not 200. */
export function modelRefusal(
  status: number,
  body: string,
  retryAfter: string | string[] | undefined,
): ModelRefusal {
  const seconds = Number(retryAfter ?? Number.NaN);
  const wait = Number.isSafeInteger(seconds) && seconds >= 0 ? seconds : null;
  // Neither a completion nor an error, for example a redirect.
  if (status < 400 || status > 599) {
    return new ModelRefusal(502, { message: 'Invalid response from model' }, null);
  }
  return new ModelRefusal(status, errorIn(body), wait);
}

/** Accepts OpenAI's form, vLLM's (without the envelope), and plain text. */
function errorIn(body: string): Partial<ModelError> {
  const parsed = objectIn(body);
  const inner = parsed?.error ?? parsed?.detail ?? parsed;
  if (typeof inner === 'string') return { message: inner };
  if (typeof inner !== 'object' || inner === null || !('message' in inner)) {
    return { message: body };
  }
  // Objects and lists may be nested deeper than can be written again.
  const fields = Object.entries(inner).filter(
    ([, value]) => typeof value !== 'object' || value === null,
  );
  const { message, ...others } = Object.fromEntries(fields);
  return { ...others, message: message === undefined ? body : String(message) };
}

function objectIn(body: string): Readonly<Record<string, unknown>> | null {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/**
 * The end of a stream that has failed after its head was sent. Clients of OpenAI take a stream without its
 * end marker for a complete one, and raise an error for an event with `error`; the comment is that of
 * dstack 0.22.5.
 */
export function brokenStream(cause: unknown): string {
  const message = errorMessage(cause).replaceAll(/\s+/g, ' ');
  const code = cause instanceof ProxyRefusal ? cause.code : 'connection_broken';
  const error = completed(502, { message: `The answer is incomplete: ${message}`, code });
  return `: ${message}\n\ndata: ${JSON.stringify({ error })}\n\n`;
}

/** An answer in JSON. */
export interface JsonAnswer {
  readonly status: number;
  readonly body: unknown;
  /** Seconds after which another attempt may succeed; null = none is named. */
  readonly retryAfter: number | null;
}

export const jsonAnswer = (status: number, body: unknown, retryAfter: number | null = null) =>
  ({ status, body, retryAfter }) satisfies JsonAnswer;

/** `onFailure` is called for errors that are not the caller's. */
export function modelErrorAnswer(error: Error, onFailure: (error: Error) => void): JsonAnswer {
  if (error instanceof UnprocessableError) {
    const [first] = error.detail;
    const param = first?.loc.slice(1).join('.') || null;
    const found = { message: first?.msg ?? error.message, param };
    return jsonAnswer(422, { detail: error.detail, error: completed(422, found) });
  }
  if (error instanceof ProxyRefusal) {
    const { status, message, code, retryAfter } = error;
    const own = error instanceof ModelRefusal ? error.error : { code };
    const body = { detail: message, error: completed(status, { ...own, message }) };
    return jsonAnswer(status, body, retryAfter);
  }
  const isFull = error instanceof RefusedBody && error.refusal.kind === 'no-memory';
  const wait = isFull ? error.refusal.retryAfterSeconds : null;
  const status = statusOf(error);
  const message = status < 500 ? error.message : 'Internal Server Error';
  if (status >= 500) onFailure(error);
  return jsonAnswer(status, { detail: message, error: completed(status, { message }) }, wait);
}

/** Errors of other parts have their status under one of these names. */
function statusOf(error: Error): number {
  const { statusCode, status } = error as { statusCode?: unknown; status?: unknown };
  const stated = Number(statusCode ?? status ?? 500);
  return stated >= 400 && stated < 600 ? stated : 500;
}

function completed(status: number, error: Partial<ModelError>): Partial<ModelError> {
  return { type: openAiErrorType(status), param: null, code: null, ...error };
}
