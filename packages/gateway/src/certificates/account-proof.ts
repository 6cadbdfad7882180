import { createPublicKey, hash } from 'node:crypto';

/**
 * The part of this account's answer by http-01 that follows the token and a dot, the same for any token: the thumbprint
 * of its key (RFC 7638). The answer proves nothing about the tokens of other accounts.
 */
export function accountProof(accountKey: string): string {
  const members = Object.entries(createPublicKey(accountKey).export({ format: 'jwk' })).sort();
  return hash('sha256', JSON.stringify(Object.fromEntries(members)), 'base64url');
}
