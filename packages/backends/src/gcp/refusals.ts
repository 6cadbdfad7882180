/** The meaning of the codes of Compute Engine: reasons of refused calls, and codes of failed operations. */
import type { BackendError } from '../base/errors.ts';
import { portError, type RefusalRule } from '../base/rest-vm/refusals.ts';

const TITLE = 'GCP';

const codes = (means: RefusalRule['means'], ...names: readonly string[]): readonly RefusalRule[] =>
  names.map((code) => ({ code, means }));

/** Sold out in this zone; Google adds different endings. */
export const SOLD_OUT = 'ZONE_RESOURCE_POOL_EXHAUSTED';

export const GCP_REFUSALS: readonly RefusalRule[] = [
  ...codes('no-capacity', `${SOLD_OUT}*`, 'RESOURCE_POOL_EXHAUSTED*', 'resourcePoolExhausted'),
  { text: /does not have enough resources available to fulfill/i, means: 'no-capacity' },
  // The type, or its GPU, is not sold in this zone.
  { status: 404, text: /\/(?:machineTypes|acceleratorTypes)\//, means: 'no-capacity' },
  { text: /Network profile only allows resource creation in location/i, means: 'no-capacity' },
  ...codes('quota', 'quotaExceeded', 'QUOTA_EXCEEDED', 'limitExceeded', 'LIMIT_EXCEEDED'),
  ...codes(
    'busy',
    ...['rateLimitExceeded', 'userRateLimitExceeded', 'RATE_LIMIT_EXCEEDED'],
    ...['concurrentLimitExceeded', 'operationRateLimitExceeded'],
  ),
  ...codes(
    'not-now',
    ...['resourceNotReady', 'RESOURCE_NOT_READY'],
    ...['resourceInUseByAnotherResource', 'RESOURCE_IN_USE_BY_ANOTHER_RESOURCE'],
  ),
];

/** `{error: {code, message, errors: [{reason}]}}`. */
export function refusalIn(body: unknown) {
  const { error } = (body ?? {}) as { readonly error?: ErrorBody };
  if (typeof error !== 'object' || typeof error?.message !== 'string') return null;
  const [first] = error.errors ?? [];
  const code = first?.reason ?? error.status;
  return typeof code === 'string' ? { code, text: error.message } : null;
}

interface ErrorBody {
  readonly message?: unknown;
  readonly status?: unknown;
  readonly errors?: readonly { readonly reason?: unknown }[];
}

export interface OperationError {
  readonly code?: string;
  readonly message?: string;
  readonly errorDetails?: readonly {
    readonly errorInfo?: { readonly reason?: string };
    readonly quotaInfo?: {
      readonly metricName?: string;
      readonly limit?: number;
      readonly limitName?: string;
    };
  }[];
}

/** The error of the port for an operation that has failed. */
export function operationError({ code = 'UNKNOWN', message, errorDetails = [] }: OperationError) {
  const reason = errorDetails.find(({ errorInfo }) => errorInfo?.reason)?.errorInfo?.reason;
  const quota = errorDetails.find(({ quotaInfo }) => quotaInfo)?.quotaInfo;
  const limit =
    quota?.metricName === undefined ? '' : ` (${quota.metricName}, limit ${quota.limit})`;
  const words = [code, reason === code ? undefined : reason, message]
    .filter((part) => part !== undefined)
    .join(': ');
  return gcpError({ status: 400, code, text: `${words}${limit}` });
}

export function gcpError(refusal: Parameters<typeof portError>[1]): BackendError {
  return portError(TITLE, refusal, GCP_REFUSALS);
}
