import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Cipher } from '@dstack/store';

/** One entry of `encryption.keys` in the server's configuration. */
export type EncryptionKey =
  | { readonly type: 'identity' }
  /** `secret`: base64 of 32 bytes. */
  | { readonly type: 'aes'; readonly name: string; readonly secret: string };

/** A stored value was written with a key that is not configured. */
export class MissingKeyError extends Error {
  override name = 'MissingKeyError';
}

const NONCE = 12;
const TAG = 16;

/**
 * Columns with secrets, as `enc:<type>:<key name>:<payload>` (the form of dstack 0.22.5). The first
 * key encrypts; each key may decrypt values of its type, so that a new key in front is used from
 * then on while old values stay readable.
 */
export function createCipher(keys: readonly EncryptionKey[]): Cipher {
  const first = keys[0] ?? { type: 'identity' };
  const aes = keys.filter((key) => key.type === 'aes');
  return {
    encrypt: (text) => (first.type === 'aes' ? seal(first, text) : `enc:identity:noname:${text}`),
    decrypt(stored) {
      const [, type, name, payload] = /^enc:([a-z]+):([^:]*):(.*)$/s.exec(stored) ?? [];
      if (type === undefined) return stored;
      if (type === 'identity') return payload ?? '';
      const named = aes.filter((key) => key.name === name);
      for (const key of [...named, ...aes.filter((other) => other.name !== name)]) {
        const text = unseal(key, payload ?? '');
        if (text !== null) return text;
      }
      throw new MissingKeyError(
        `no configured encryption key opens a value written with "${name}"`,
      );
    },
  };
}

export function generateKey(): string {
  return randomBytes(32).toString('base64');
}

type AesKey = Extract<EncryptionKey, { type: 'aes' }>;

function seal(key: AesKey, text: string): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key.secret, 'base64'), nonce);
  const sealed = Buffer.concat([
    nonce,
    cipher.update(text, 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return `enc:aes:${key.name}:${sealed.toString('base64')}`;
}

/** Null if the value was not written with this key. */
function unseal(key: AesKey, payload: string): string | null {
  const sealed = Buffer.from(payload, 'base64');
  if (sealed.length < NONCE + TAG) return null;
  const secret = Buffer.from(key.secret, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, NONCE));
  decipher.setAuthTag(sealed.subarray(-TAG));
  try {
    const text = Buffer.concat([decipher.update(sealed.subarray(NONCE, -TAG)), decipher.final()]);
    return text.toString('utf8');
  } catch {
    // GCM refuses a wrong key; another key may match.
    return null;
  }
}
