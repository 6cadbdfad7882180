/** Ids of requests, by which Google recognises a repetition. */
import { createHash } from 'node:crypto';

/** The same UUID for the same parts. */
export function uuidOf(...parts: readonly string[]): string {
  const hex = createHash('sha256').update(parts.join('\0')).digest('hex');
  // Version 8: of a form of our own. It is never the one of zeros, which Google refuses.
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
