import { randomInt } from 'node:crypto';

/** Random user ids far above those in use, so that parallel tests do not share any. */
export function freeUids(count: number): { readonly first: number; readonly last: number } {
  const first = 1_000_000 + randomInt(1_000_000) * 1000;
  return { first, last: first + count - 1 };
}
