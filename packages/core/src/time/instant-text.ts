import type { Timestamp } from '../model/values.ts';

/** A timestamp in UTC; clients also show it in local time. */
export function instantText(at: Timestamp): string {
  return `${new Date(at / 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
