/** How often EC2 may be called. It counts each region apart. */
import type { CallRule } from '../base/rest-vm/call-limiter.ts';

/** The rates at which EC2 refills its buckets; their sizes are a reserve for other users of the account. */
export const AWS_RULES: readonly CallRule[] = [
  { calls: 20, seconds: 1 },
  { calls: 2, seconds: 1, kind: 'create' },
  { calls: 5, seconds: 1, kind: 'end' },
];
