/** How often Compute Engine may be called. */
import type { CallRule } from '../base/rest-vm/call-limiter.ts';

/** Google's default are 25 requests of each kind in a second and project: the rest is for other users of it. */
export const GCP_RULES: readonly CallRule[] = [
  { calls: 20, seconds: 1 },
  { calls: 5, seconds: 1, kind: 'create' },
  { calls: 5, seconds: 1, kind: 'end' },
];
