import type { Refusal, RefusalKind } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';
import { TOKEN_PATH } from './tokens.ts';

interface GcpError {
  readonly status: number;
  readonly reason: string;
  /** Null: the text of the refusal. */
  readonly message: string | null;
}

/** As Google documents them. */
const ERRORS: Readonly<Record<RefusalKind, GcpError>> = {
  no_capacity: { status: 503, reason: 'resourcePoolExhausted', message: null },
  quota: { status: 403, reason: 'quotaExceeded', message: null },
  credentials: {
    status: 401,
    reason: 'authError',
    message: 'Request had invalid authentication credentials.',
  },
  permission: {
    status: 403,
    reason: 'forbidden',
    message: "Required 'compute.instances.create' permission for 'projects/demo-project'",
  },
  balance: {
    status: 403,
    reason: 'accountDisabled',
    message: 'This API method requires billing to be enabled.',
  },
  too_many_calls: {
    status: 403,
    reason: 'rateLimitExceeded',
    message: "Quota exceeded for quota metric 'Queries'",
  },
  provider_error: { status: 500, reason: 'backendError', message: 'Internal error' },
  not_found: { status: 404, reason: 'notFound', message: null },
  invalid: { status: 400, reason: 'invalid', message: null },
  conflict: { status: 409, reason: 'alreadyExists', message: null },
  not_now: { status: 400, reason: 'resourceNotReady', message: null },
};

export function refusedByGcp(
  { kind, message, facts }: Refusal,
  request: CloudRequest,
): CloudAnswer {
  const error = ERRORS[kind];
  if (request.path === TOKEN_PATH && kind === 'credentials') {
    const error_description = message.startsWith('Invalid JWT')
      ? message
      : 'Invalid JWT Signature.';
    return { status: 400, body: { error: 'invalid_grant', error_description } };
  }
  const text = error.message ?? message;
  const wait = facts.retryAfterSeconds ?? null;
  const details = [{ message: text, domain: 'global', reason: error.reason }];
  return {
    status: error.status,
    body: { error: { code: error.status, message: text, errors: details } },
    headers: wait === null ? {} : { 'retry-after': String(wait) },
  };
}
