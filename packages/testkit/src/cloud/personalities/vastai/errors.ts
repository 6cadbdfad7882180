import type { Refusal, RefusalKind } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';

/** Status, code, and text (null = that of the refusal). Those of quota and permission are guesses. */
const ERRORS: Readonly<Record<RefusalKind, readonly [number, string, string | null]>> = {
  no_capacity: [
    404,
    'invalid_args',
    'error 404/3603: no_such_ask Instance type by id is not available.',
  ],
  quota: [403, 'limit_exceeded', 'Your account has reached its instance limit.'],
  credentials: [401, 'auth_error', 'Invalid user key'],
  permission: [403, 'unauthorized', 'The API key lacks the permission instance_write.'],
  balance: [400, 'insufficient_credit', 'Your account lacks credit; see the billing page.'],
  too_many_calls: [429, '', null],
  provider_error: [500, 'internal_error', 'error 500: something went wrong'],
  not_found: [404, 'no_such_instance', null],
  invalid: [400, 'invalid_args', null],
  conflict: [400, 'invalid_price', null],
  not_now: [400, 'invalid_args', null],
};

/** Seconds between two calls of an endpoint. */
export const THRESHOLDS = { create: 4.5, list: 1, end: 1 } as const;

export function refusedByVastai({ kind, message }: Refusal, request: CloudRequest): CloudAnswer {
  const [status, error, text] = ERRORS[kind];
  if (kind === 'too_many_calls') {
    const threshold = request.method === 'PUT' ? THRESHOLDS.create : THRESHOLDS.list;
    return {
      ...{ status, body: null, text: `API requests too frequent: endpoint threshold=${threshold}` },
      headers: { 'content-type': 'text/plain' },
    };
  }
  // Searches know no 401.
  const isSearch = kind === 'credentials' && request.path === '/api/v0/bundles/';
  return {
    status: isSearch ? 404 : status,
    body: { success: false, error, msg: text ?? message },
  };
}
