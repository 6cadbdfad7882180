import type { Refusal, RefusalKind } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';

/** Codes are those of the official SDKs. Null: the text of the refusal. Texts for quotas are guesses. */
const ERRORS: Readonly<Record<RefusalKind, readonly [number, string, string | null]>> = {
  no_capacity: [503, 'service_unavailable', 'No capacity available'],
  quota: [400, 'invalid_request', 'Instance quota exceeded for this project'],
  credentials: [401, 'unauthorized_request', 'Access token is missing or invalid'],
  permission: [403, 'forbidden_action', 'The client may not use this endpoint'],
  balance: [402, 'insufficient_funds', 'Your balance is too low, please top up'],
  too_many_calls: [429, 'too_many_requests', 'Too many requests'],
  provider_error: [500, 'server_error', 'Internal server error'],
  not_found: [400, 'invalid_request', 'Invalid instance id'],
  invalid: [400, 'invalid_request', null],
  conflict: [400, 'invalid_request', null],
  not_now: [403, 'forbidden_action', "Can't discontinue a provisioning instance"],
};
const SCRIPTS_FULL = 'Startup script quota exceeded';

export function refusedByVerda({ kind, message, facts }: Refusal): CloudAnswer {
  const [status, code, text] = ERRORS[kind];
  const wait = facts.retryAfterSeconds ?? null;
  const isOfScripts = kind === 'quota' && facts.what === SCRIPTS;
  return {
    ...{ status, body: { code, message: isOfScripts ? SCRIPTS_FULL : (text ?? message) } },
    headers: wait === null ? {} : { 'retry-after': String(wait) },
  };
}

/** The facts of the error of a quota name these if it limits start-up scripts. */
export const SCRIPTS = 'scripts';
