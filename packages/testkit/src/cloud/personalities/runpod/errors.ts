import type { Refusal, RefusalKind } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';

/** `text`: null = that of the refusal. Texts of 400 are no part of the document; users have reported them. */
const ERRORS: Readonly<Record<RefusalKind, readonly [number, string, string | null]>> = {
  no_capacity: [
    400,
    'Bad Request',
    'There are no longer any instances available with the requested specifications. Please refresh and try again.',
  ],
  quota: [400, 'Bad Request', 'Your account has reached its spend limit.'],
  credentials: [401, 'Unauthorized', 'invalid bearer token'],
  permission: [403, 'Forbidden', 'access denied'],
  balance: [402, 'Payment Required', 'Insufficient balance.'],
  too_many_calls: [429, 'Too Many Requests', 'rate limit exceeded for the minute window'],
  provider_error: [500, 'Internal Server Error', 'internal error'],
  not_found: [404, 'Not Found', 'resource not found'],
  invalid: [422, 'Unprocessable Entity', 'Request validation failed.'],
  conflict: [400, 'Bad Request', null],
  not_now: [409, 'Conflict', null],
};

export function refusedByRunpod({ kind, message, facts }: Refusal): CloudAnswer {
  const [status, title, text] = ERRORS[kind];
  const wait = facts.retryAfterSeconds ?? null;
  const errors = kind === 'invalid' ? { errors: [`$: ${message}`] } : {};
  return {
    status,
    body: { title, status, detail: text ?? message, ...errors },
    headers: {
      'content-type': 'application/problem+json',
      ...(wait === null ? {} : { 'retry-after': String(wait) }),
    },
  };
}
