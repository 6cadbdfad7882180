import {
  ApiError,
  ConnectionError,
  ForbiddenError,
  NotFoundError,
  ResourceNotExistsError,
  ServerError,
  TimeoutError,
  UnauthorizedError,
  ValidationError,
} from '@dstack/client';

export type ProblemKind =
  | 'offline'
  | 'slow'
  | 'signed-out'
  | 'forbidden'
  | 'missing'
  | 'invalid'
  | 'refused'
  | 'server'
  | 'bug';

/** An error for people: what happened, what to do next, and what to send to an administrator. */
export interface ErrorText {
  readonly kind: ProblemKind;
  readonly what: string;
  readonly next: string;
  readonly code: string | null;
  readonly requestId: string | null;
}

/** Whether the requested object does not exist, or no longer exists. */
export function isMissingError(error: unknown): boolean {
  return error instanceof ResourceNotExistsError || error instanceof NotFoundError;
}

/** Some messages of the server end without a full stop, and what follows would read as a part of them. */
export const withFullStop = (message: string): string =>
  message === '' || /[.!?]$/.test(message) ? message : `${message}.`;

export function errorText(error: unknown): ErrorText {
  const code = error instanceof ApiError ? error.code : null;
  const requestId = error instanceof ApiError ? error.requestId : null;
  const text = (kind: ProblemKind, what: string, next: string): ErrorText => ({
    kind,
    what,
    next,
    code,
    requestId,
  });
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ConnectionError) {
    return text('offline', 'The server does not answer.', 'It is tried again automatically.');
  }
  if (error instanceof TimeoutError) {
    return text('slow', message, 'The server may be overloaded. Try again.');
  }
  if (error instanceof UnauthorizedError) {
    return text('signed-out', 'You are not signed in.', 'Sign in again.');
  }
  if (error instanceof ForbiddenError) {
    const next =
      'Your role does not allow it, or you are no member of the project. An administrator of the project, or of the server, can change that.';
    return text('forbidden', withFullStop(message), next);
  }
  if (isMissingError(error)) {
    return text('missing', message, 'It may have been deleted, or renamed.');
  }
  if (error instanceof ValidationError) {
    return text('invalid', message, 'Correct the value and try again.');
  }
  if (error instanceof ServerError) {
    return text('server', message, 'Try again. The log of the server has the cause.');
  }
  if (error instanceof ApiError)
    return text('refused', message, 'Correct the cause and try again.');
  return text('bug', message, 'This is an error of the web UI. Reload the page.');
}
