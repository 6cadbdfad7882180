import type { Refusal, RefusalKind } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';

/** Null: the text of the refusal. The document has these statuses and examples, and no list of codes. */
const ERRORS: Readonly<Record<RefusalKind, readonly [number, string, string | null]>> = {
  no_capacity: [400, 'out_of_stock', 'out of stock'],
  quota: [400, 'bad_request', 'requested resource exceeds the quota of the project'],
  credentials: [401, 'bad_credential', 'bad_credential'],
  permission: [403, 'forbidden', 'unauthorized'],
  balance: [403, 'forbidden', 'the organization has no payment method'],
  too_many_calls: [429, 'too_many_requests', 'too_many_requests'],
  provider_error: [500, 'internal_error', 'internal_error'],
  not_found: [404, 'not_found', 'not_found'],
  invalid: [400, 'bad_request', null],
  conflict: [400, 'bad_request', null],
  not_now: [400, 'bad_request', 'an operation of the VM is in progress'],
};

export function refusedByCrusoe({ kind, message, facts }: Refusal): CloudAnswer {
  const [status, code, text] = ERRORS[kind];
  const wait = facts.retryAfterSeconds ?? null;
  return {
    ...{ status, body: { code, message: text ?? message } },
    headers: wait === null ? {} : { 'retry-after': String(wait) },
  };
}
