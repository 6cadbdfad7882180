import type { CallAllowance } from '../../call-limits.ts';
import { SECOND_US } from '../../clock.ts';
import type { Refusal, RefusalKind } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';

interface DigitalOceanError {
  readonly status: number;
  readonly id: string;
  /** Null: the text of the refusal. */
  readonly message: string | null;
}

/**
 * Ids and texts of the published examples where there are some. The document has no status of its own for
 * missing capacity, a used-up limit and a body that is not understood: all of them are 422, and only the text
 * differs.
 */
const ERRORS: Readonly<Record<RefusalKind, DigitalOceanError>> = {
  no_capacity: {
    status: 422,
    id: 'unprocessable_entity',
    message: 'Size is not available in this region.',
  },
  quota: {
    status: 422,
    id: 'unprocessable_entity',
    message: 'creating this/these droplet(s) will exceed your droplet limit',
  },
  credentials: { status: 401, id: 'unauthorized', message: 'Unable to authenticate you.' },
  permission: {
    status: 403,
    id: 'forbidden',
    message: 'You do not have permission to perform this action.',
  },
  balance: { status: 403, id: 'forbidden', message: 'Your account is locked: payment is overdue.' },
  too_many_calls: { status: 429, id: 'too_many_requests', message: 'API rate limit exceeded.' },
  provider_error: { status: 500, id: 'server_error', message: 'Unexpected server-side error' },
  not_found: {
    status: 404,
    id: 'not_found',
    message: 'The resource you requested could not be found.',
  },
  invalid: { status: 422, id: 'unprocessable_entity', message: null },
  conflict: { status: 409, id: 'conflict', message: null },
  not_now: {
    status: 422,
    id: 'unprocessable_entity',
    message: 'Droplet already has a pending event.',
  },
};

/** Only limits on bursts announce a time; the hourly one does by its headers alone. */
const MAX_RETRY_AFTER_SECONDS = 60;

export function refusedByDigitalOcean(refusal: Refusal, request: CloudRequest): CloudAnswer {
  const { kind, message, facts } = refusal;
  const error = ERRORS[kind];
  const isVolume = kind === 'not_now' && request.path.startsWith('/v2/volumes');
  const text = isVolume ? message : (error.message ?? message);
  const wait = facts.retryAfterSeconds ?? null;
  const isBurst = wait !== null && wait <= MAX_RETRY_AFTER_SECONDS;
  return {
    status: isVolume ? 409 : error.status,
    body: { id: isVolume ? 'conflict' : error.id, message: text },
    headers: isBurst ? { 'retry-after': String(wait) } : {},
  };
}

export function rateLimitHeaders(
  allowance: CallAllowance | null,
): Readonly<Record<string, string>> {
  if (allowance === null) return {};
  const { limit, remaining, resetAt } = allowance;
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(Math.ceil(resetAt / SECOND_US)),
  };
}
