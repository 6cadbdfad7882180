import { createHash } from 'node:crypto';

/** The id is derived from the key of the order, as deterministic names are. */
export function simId(prefix: string, key: string): string {
  return `${prefix}-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`;
}
