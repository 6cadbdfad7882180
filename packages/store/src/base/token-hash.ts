import { createHash, timingSafeEqual } from 'node:crypto';

/** The key by which tokens are found: SHA-256 in hexadecimal. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** In constant time. Null: there is no token to compare with. */
export function sameToken(stored: string | null, given: string): boolean {
  if (stored === null) return false;
  const a = Buffer.from(stored);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}
