/**
 * The errors of calls from a client to a server, one class per situation. Distinguish them with
 * `instanceof`; no message needs to be parsed.
 */

/** Any failure of a call. `request` is `METHOD path`, for reports. */
export class ClientError extends Error {
  override readonly name: string = 'ClientError';
  readonly request: string;

  constructor(message: string, request: string, options?: ErrorOptions) {
    super(message, options);
    this.request = request;
  }
}

/** The connection could not be made, or broke before the answer was complete. */
export class ConnectionError extends ClientError {
  override readonly name = 'ConnectionError';
  /** The server's base URL. */
  readonly url: string;
  /** The system's error code (`ECONNREFUSED`, `ENOTFOUND`, …), if there is one. */
  readonly errorCode: string | null;

  constructor(url: string, request: string, cause: unknown) {
    const code = systemErrorCode(cause);
    super(`Failed to connect to dstack server ${url}`, request, { cause });
    this.url = url;
    this.errorCode = code;
  }
}

/** The server was reached but did not answer in the time allowed. */
export class TimeoutError extends ClientError {
  override readonly name = 'TimeoutError';
  readonly url: string;
  readonly timeoutMs: number;

  constructor(url: string, request: string, timeoutMs: number) {
    super(`No answer from dstack server ${url} within ${timeoutMs / 1000} s`, request);
    this.url = url;
    this.timeoutMs = timeoutMs;
  }
}

/** The program at the URL answers HTTP requests, but not as a dstack server does. */
export class NotDstackError extends ClientError {
  override readonly name = 'NotDstackError';
  readonly url: string;
  readonly status: number;
  /** The `Server` header, null if there is none. */
  readonly program: string | null;

  constructor(url: string, request: string, status: number, program: string | null) {
    super(`${url} is not a dstack server`, request);
    this.url = url;
    this.status = status;
    this.program = program;
  }
}

/** The server answered with a status other than 2xx. */
export class ApiError extends ClientError {
  override readonly name: string = 'ApiError';
  readonly status: number;
  /** The error code of the API (`resource_not_exists`, …); null if the answer has none. */
  readonly code: string | null;
  /** Paths of the request's fields that the server refused. */
  readonly fields: readonly (readonly string[])[];
  /** The answer as received: parsed JSON, or text. */
  readonly body: unknown;
  readonly requestId: string | null;

  constructor(message: string, answer: ErrorAnswer) {
    super(message, answer.request);
    this.status = answer.status;
    this.code = answer.code;
    this.fields = answer.fields;
    this.body = answer.body;
    this.requestId = answer.requestId;
  }
}

/** A rule of the server was broken (code `error`, or a code that this version does not have). */
export class BadRequestError extends ApiError {
  override readonly name: string = 'BadRequestError';
}
/** The name is taken. */
export class ResourceExistsError extends BadRequestError {
  override readonly name = 'ResourceExistsError';
}
/** The entity does not exist, or not for this user. */
export class ResourceNotExistsError extends BadRequestError {
  override readonly name = 'ResourceNotExistsError';
}
/** A cloud refused the credentials; `fields` names them. */
export class InvalidCredentialsError extends BadRequestError {
  override readonly name = 'InvalidCredentialsError';
}
/** The backend is unknown, or not configured in the project. */
export class BackendNotAvailableError extends BadRequestError {
  override readonly name = 'BackendNotAvailableError';
}
/** A run or an upload names a repo that was not initialised. */
export class RepoNotExistsError extends BadRequestError {
  override readonly name = 'RepoNotExistsError';
}
/** A gateway or one of its replicas failed. */
export class GatewayFailedError extends BadRequestError {
  override readonly name = 'GatewayFailedError';
}
/** 401: no token was sent. */
export class UnauthorizedError extends ApiError {
  override readonly name = 'UnauthorizedError';
}
/** 403: the token is wrong, or its user may not do this. */
export class ForbiddenError extends ApiError {
  override readonly name = 'ForbiddenError';
}
/** 404: the project in the path, or the path itself, is unknown to the server. */
export class NotFoundError extends ApiError {
  override readonly name = 'NotFoundError';
}
/** 405: the server has no such endpoint (an older or another server). */
export class MethodNotAllowedError extends ApiError {
  override readonly name = 'MethodNotAllowedError';
}
/** 422: the request's body does not have the required form. */
export class ValidationError extends ApiError {
  override readonly name = 'ValidationError';
}
/** 5xx: the server, or a proxy in front of it, failed. */
export class ServerError extends ApiError {
  override readonly name = 'ServerError';
}

/** The parts of an answer from which an error is created. */
export interface ErrorAnswer {
  readonly request: string;
  readonly status: number;
  readonly code: string | null;
  readonly fields: readonly (readonly string[])[];
  readonly body: unknown;
  readonly requestId: string | null;
}

/** True if the server does not have this endpoint: the caller may fall back to an older one. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof NotFoundError || error instanceof MethodNotAllowedError;
}

const BY_CODE: Readonly<Record<string, typeof BadRequestError>> = {
  resource_exists: ResourceExistsError,
  resource_not_exists: ResourceNotExistsError,
  invalid_credentials: InvalidCredentialsError,
  backend_not_available: BackendNotAvailableError,
  repo_does_not_exist: RepoNotExistsError,
  gateway_error: GatewayFailedError,
};

/**
 * Creates the error for a non-2xx answer; `body` is the parsed JSON, or the text if it was not
 * JSON.
 */
export function errorFromAnswer(
  request: string,
  status: number,
  body: unknown,
  requestId: string | null,
): ApiError {
  const details = detailsOf(body);
  const code = details.find((d) => d.code !== null)?.code ?? null;
  const fields = details.flatMap((d) => (d.fields.length > 0 ? [d.fields] : []));
  const answer: ErrorAnswer = { request, status, code, fields, body, requestId };
  const message = [...new Set(details.map((d) => d.message))].join('\n');
  if (status === 400) {
    const Class = (code !== null ? BY_CODE[code] : undefined) ?? BadRequestError;
    return new Class(message || 'The server refused the request', answer);
  }
  if (status === 401) return new UnauthorizedError(message || 'Not authenticated', answer);
  if (status === 403) return new ForbiddenError(message || 'Access denied', answer);
  if (status === 404) return new NotFoundError(message || 'Not found', answer);
  if (status === 405) return new MethodNotAllowedError(message || 'Method not allowed', answer);
  if (status === 422) return new ValidationError(message || 'The request is not valid', answer);
  if (status >= 500)
    return new ServerError(message || `The server failed (status ${status})`, answer);
  return new ApiError(message || `Unexpected answer (status ${status})`, answer);
}

interface Detail {
  readonly message: string;
  readonly code: string | null;
  readonly fields: readonly string[];
}

/**
 * An error body has one of four forms: a list of details, one detail as an object, a string, and a
 * detail without the enclosing `detail`.
 */
function detailsOf(body: unknown): Detail[] {
  if (typeof body === 'string') {
    const text = body.trim();
    // The web page of a proxy, which no reader of a message wants.
    return text === '' || text.startsWith('<') ? [] : [detail(text)];
  }
  if (!isRecord(body)) return [];
  const inner = 'detail' in body ? body.detail : body;
  const items = Array.isArray(inner) ? inner : [inner];
  return items.flatMap((item) => {
    if (typeof item === 'string') return [detail(item)];
    if (!isRecord(item) || typeof item.msg !== 'string') return [];
    const place = Array.isArray(item.loc) ? `${item.loc.slice(1).map(String).join('.')}: ` : '';
    return [
      {
        message: place + item.msg,
        code: typeof item.code === 'string' ? item.code : null,
        fields: Array.isArray(item.fields) ? item.fields.map(String) : [],
      },
    ];
  });
}

function detail(message: string): Detail {
  return { message, code: null, fields: [] };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function systemErrorCode(cause: unknown): string | null {
  if (!isRecord(cause)) return null;
  if (typeof cause.code === 'string') return cause.code;
  return systemErrorCode(cause.cause);
}
