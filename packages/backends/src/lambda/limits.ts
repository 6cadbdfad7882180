/** Where Lambda's API is, and how often it may be called. */
import type { CallRule } from '../base/rest-vm/call-limiter.ts';

export const LAMBDA_ENDPOINT = 'https://cloud.lambda.ai';

/** The limits that Lambda publishes: a request a second, a launch in twelve seconds and five in a minute. */
export const LAMBDA_RULES: readonly CallRule[] = [
  { calls: 1, seconds: 1 },
  { calls: 1, seconds: 12, kind: 'create' },
  { calls: 5, seconds: 60, kind: 'create' },
];
