import { randomInt } from 'node:crypto';

/** User ids that nobody on the machine has, other tests that run at the same time included. */
export function freeUids(count: number): { readonly first: number; readonly last: number } {
  const first = 1_000_000 + randomInt(1_000_000) * 1000;
  return { first, last: first + count - 1 };
}
