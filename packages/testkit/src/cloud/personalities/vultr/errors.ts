import type { Refusal, RefusalKind } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';

/** Null: the text of the refusal. The texts for capacity and quota are guesses: no document lists them. */
const ERRORS: Readonly<Record<RefusalKind, readonly [number, string | null]>> = {
  no_capacity: [400, 'Plan is not available in the selected region.'],
  quota: [400, 'You have reached the maximum number of active instances for this account.'],
  credentials: [401, 'Invalid API token.'],
  permission: [403, 'Unauthorized: this API key lacks the permission.'],
  balance: [403, 'Your account has a balance due. Please make a payment.'],
  too_many_calls: [429, 'Rate limit exceeded.'],
  provider_error: [500, 'Internal server error.'],
  not_found: [404, 'Invalid resource ID.'],
  invalid: [400, null],
  conflict: [409, null],
  not_now: [400, 'Server is currently locked.'],
};

/** `{error, status}`. */
export function refusedByVultr({ kind, message, facts }: Refusal): CloudAnswer {
  const [status, text] = ERRORS[kind];
  const wait = facts.retryAfterSeconds ?? null;
  return {
    ...{ status, body: { error: text ?? message, status } },
    headers: wait === null ? {} : { 'retry-after': String(wait) },
  };
}
