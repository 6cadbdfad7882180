import { timingSafeEqual } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import { parseSecurityKey } from './security-key.ts';

/** The part of a key that authentication needs. */
export type VerifyingKey = Pick<ParsedKey, 'getPublicSSH' | 'verify'>;

export interface PublicKey {
  readonly key: VerifyingKey;
  readonly blob: Buffer;
}

/** A line as in `authorized_keys`; options before the key are not supported. */
export function parsePublicKey(line: string): PublicKey | Error {
  const key = parseSecurityKey(line) ?? ssh2.utils.parseKey(line.trim());
  return key instanceof Error ? key : { key, blob: key.getPublicSSH() };
}

/** The first of these keys that has this blob. Takes the same time for every key, in the list or not. */
export function findKey<K extends PublicKey>(keys: readonly K[], blob: Buffer): K | null {
  let found: K | null = null;
  for (const candidate of keys) {
    const equal = candidate.blob.length === blob.length && timingSafeEqual(candidate.blob, blob);
    if (equal && !found) found = candidate;
  }
  return found;
}
