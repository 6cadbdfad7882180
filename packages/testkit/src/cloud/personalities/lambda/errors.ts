import type { Refusal, RefusalKind } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';

interface LambdaError {
  readonly status: number;
  readonly code: string;
  /** Null: the text of the refusal. */
  readonly message: string | null;
  readonly suggestion?: string;
}

/** Codes and texts of the published description; it has none for 429 and 500. */
const ERRORS: Readonly<Record<RefusalKind, LambdaError>> = {
  no_capacity: {
    status: 400,
    code: 'instance-operations/launch/insufficient-capacity',
    message: 'Not enough capacity to fulfill launch request.',
    suggestion: 'Choose an instance type with more availability, or try again later.',
  },
  quota: {
    status: 400,
    code: 'global/quota-exceeded',
    message: 'Quota exceeded.',
    suggestion: 'Contact Support to increase your quota.',
  },
  credentials: {
    status: 401,
    code: 'global/invalid-api-key',
    message: 'API key was invalid, expired, or deleted.',
    suggestion: 'Check your API key or create a new one, then try again.',
  },
  permission: { status: 403, code: 'global/forbidden', message: null },
  balance: {
    status: 403,
    code: 'global/account-inactive',
    message: 'Your account is inactive.',
    suggestion:
      'Make sure you have verified your email address and have a valid payment method. Contact Support if problems continue.',
  },
  too_many_calls: { status: 429, code: 'global/too-many-requests', message: 'Too many requests.' },
  provider_error: {
    status: 500,
    code: 'global/internal-error',
    message: 'An internal error occurred.',
  },
  not_found: {
    status: 404,
    code: 'global/object-does-not-exist',
    message: 'Specified instance does not exist.',
    suggestion: 'Check the identifier, then try again.',
  },
  invalid: { status: 400, code: 'global/invalid-parameters', message: null },
  conflict: { status: 400, code: 'global/duplicate', message: null },
  not_now: { status: 409, code: 'global/conflict', message: null },
};

export function refusedByLambda(
  { kind, message, facts }: Refusal,
  request: CloudRequest,
): CloudAnswer {
  const error = ERRORS[kind];
  const isInstance = request.path.startsWith('/api/v1/instance');
  const text = kind === 'not_found' && !isInstance ? 'The requested resource was not found.' : null;
  const code = text ? 'global/not-found' : error.code;
  const suggestion = error.suggestion === undefined ? {} : { suggestion: error.suggestion };
  const wait = facts.retryAfterSeconds ?? null;
  return {
    status: error.status,
    body: { error: { code, message: text ?? error.message ?? message, ...suggestion } },
    headers: wait === null ? {} : { 'retry-after': String(wait) },
  };
}
