/** Errors of the API: codes never change their meaning, clients depend on them. */

export interface ErrorKind {
  readonly status: 400;
  /** Text used if nothing more exact is known. */
  readonly msg: string;
}

/** The complete list of codes in a 400's `detail` (dstack 0.22.5). */
export const API_ERRORS = {
  error: { status: 400, msg: 'The request breaks a rule of the server' },
  resource_exists: { status: 400, msg: 'Resource exists' },
  resource_not_exists: { status: 400, msg: 'Resource not found' },
  invalid_credentials: { status: 400, msg: 'Invalid credentials' },
  backend_not_available: { status: 400, msg: 'Backend not available' },
  repo_does_not_exist: { status: 400, msg: 'Repo does not exist' },
  gateway_error: { status: 400, msg: 'Gateway error' },
} as const satisfies Record<string, ErrorKind>;

export type ApiErrorCode = keyof typeof API_ERRORS;

/** The part of the request that an error is about: `['creds', 'access_key']`. */
export type FieldPath = readonly string[];

/**
 * An expected refusal, thrown by operations and shown to the caller unchanged. `code` is null only
 * for an unreadable client version and for 401, 403 and 404.
 */
export class ApiError extends Error {
  readonly msg: string;
  readonly code: ApiErrorCode | null;
  readonly status: 400 | 401 | 403 | 404;
  readonly fields: readonly FieldPath[];

  constructor(
    code: ApiErrorCode | null,
    msg?: string,
    more: { readonly fields?: readonly FieldPath[]; readonly status?: 400 | 401 | 403 | 404 } = {},
  ) {
    const text = msg ?? (code === null ? 'Error' : API_ERRORS[code].msg);
    super(text);
    this.name = 'ApiError';
    this.msg = text;
    this.code = code;
    this.status = more.status ?? 400;
    this.fields = more.fields ?? [];
  }
}

/** A rule of the server is broken; `msg` must contain everything the user needs to know. */
export function ruleError(msg: string): ApiError {
  return new ApiError('error', msg);
}

/** A named thing is missing or not visible to the caller. Never 404: that means "no such URL". */
export function notExists(msg: string): ApiError {
  return new ApiError('resource_not_exists', msg);
}

export function alreadyExists(msg?: string): ApiError {
  return new ApiError('resource_exists', msg);
}

export function notAuthenticated(msg = 'Not authenticated'): ApiError {
  return new ApiError(null, msg, { status: 401 });
}

export function invalidToken(): ApiError {
  return new ApiError(null, 'Invalid token', { status: 403 });
}

/** Users of the API and the UI see `msg`; the official CLI drops it. */
export function accessDenied(msg = 'Access denied'): ApiError {
  return new ApiError(null, msg, { status: 403 });
}

/**
 * No such URL: an unknown project in the path, or a part of the server that is switched off. For
 * missing things of a project use `notExists`: clients read 404 as "no such URL".
 */
export function notFound(msg = 'Not found'): ApiError {
  return new ApiError(null, msg, { status: 404 });
}

/** The JSON body of an error, in the forms that dstack 0.22.5's client can read. */
export function errorBody(error: ApiError): unknown {
  const { msg, code, status } = error;
  if (status === 401) return { detail: msg };
  if (status !== 400) return { detail: { msg, code } };
  // Only these three keys may appear: the official client passes them on as keyword arguments.
  if (error.fields.length === 0) return { detail: [{ msg, code }] };
  return { detail: error.fields.map((fields) => ({ msg, code, fields })) };
}
