import type { Refusal, RefusalKind } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';

/** Statuses and examples of the document; it has no 429, and texts alone for what orders are refused for. */
const ERRORS: Readonly<Record<RefusalKind, readonly [number, string]>> = {
  no_capacity: [404, 'No available virtual machine matching requested specifications'],
  quota: [401, 'Maximum VMs already provisioned for this team'],
  credentials: [401, 'Unauthorized'],
  permission: [403, 'Forbidden: Permission denied'],
  balance: [402, 'Insufficient balance to provision virtual machine'],
  too_many_calls: [429, 'Too Many Requests'],
  provider_error: [500, 'Internal Server Error'],
  not_found: [404, 'Not Found: Resource not found'],
  invalid: [400, 'Bad Request: Invalid input'],
  conflict: [409, 'Conflict: key already registered'],
  not_now: [400, 'Bad Request: the virtual machine is still being provisioned'],
};

/** The body is a text, as JSON. */
export function refusedByHotAisle({ kind, facts }: Refusal): CloudAnswer {
  const [status, body] = ERRORS[kind];
  const wait = facts.retryAfterSeconds ?? null;
  return { status, body, headers: wait === null ? {} : { 'retry-after': String(wait) } };
}
