/** Keys in a hardware token (FIDO), which add their own data to the signed bytes. */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';

export interface SecurityKey {
  getPublicSSH(): Buffer;
  /** `signature`: without its algorithm and the length of its first part. */
  verify(data: Buffer, signature: Buffer): boolean;
}

/** The token has recorded a touch of its user; without it malware could sign unnoticed. */
const USER_PRESENT = 0x01;

/** `flags` and `counter` after the signature itself. */
const TAIL = 5;

/** Null if the line is not a key of a token. */
export function parseSecurityKey(line: string): SecurityKey | null {
  const [type = '', base64 = ''] = line.trim().split(/\s+/);
  const blob = Buffer.from(base64, 'base64');
  const fields = strings(blob, blob.length);
  if (fields === null || fields[0]?.toString('latin1') !== type) return null;
  if (type === 'sk-ssh-ed25519@openssh.com' && fields.length === 3) return edKey(blob, fields);
  if (type === 'sk-ecdsa-sha2-nistp256@openssh.com' && fields.length === 4) {
    return ecKey(blob, fields);
  }
  return null;
}

function edKey(blob: Buffer, [, point, application]: readonly Buffer[]): SecurityKey | null {
  if (point?.length !== 32 || !application) return null;
  const key = publicKey({ kty: 'OKP', crv: 'Ed25519', x: point.toString('base64url') });
  return key && { getPublicSSH: () => blob, verify: signedBy(application, 64, null, key) };
}

function ecKey(blob: Buffer, [, curve, point, application]: readonly Buffer[]): SecurityKey | null {
  if (curve?.toString('latin1') !== 'nistp256' || !application) return null;
  if (point?.length !== 65 || point[0] !== 4) return null;
  const [x, y] = [point.subarray(1, 33), point.subarray(33)];
  const key = publicKey({
    ...{ kty: 'EC', crv: 'P-256' },
    ...{ x: x.toString('base64url'), y: y.toString('base64url') },
  });
  return key && { getPublicSSH: () => blob, verify: signedBy(application, null, 'sha256', key) };
}

/** Null for a point that is not on its curve. */
function publicKey(key: Record<string, string>): KeyObject | null {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch {
    // No private half exists for it.
    return null;
  }
}

/** `length` of the signature; null = a pair of integers. */
function signedBy(
  application: Buffer,
  length: number | null,
  hash: string | null,
  key: KeyObject,
): SecurityKey['verify'] {
  return (data, signature) => {
    const end = signature.length - TAIL;
    if (end < 0 || ((signature[end] ?? 0) & USER_PRESENT) === 0) return false;
    const own = length === null ? pair(signature, end) : signature.subarray(0, end);
    if (own === null || (length !== null && own.length !== length)) return false;
    const signed = Buffer.concat([sha256(application), signature.subarray(end), sha256(data)]);
    return verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, own);
  };
}

/** Two integers, each in 32 bytes as `ieee-p1363` has them. */
function pair(bytes: Buffer, end: number): Buffer | null {
  const parts = strings(bytes, end);
  if (parts?.length !== 2) return null;
  const numbers = parts.map((part) => {
    const digits = part[0] === 0 ? part.subarray(1) : part;
    return digits.length > 32 ? null : Buffer.concat([Buffer.alloc(32 - digits.length), digits]);
  });
  return numbers.every((number) => number !== null) ? Buffer.concat(numbers) : null;
}

/** Fields with their lengths before them, null if they do not fill the bytes up to `end` exactly. */
function strings(bytes: Buffer, end: number): Buffer[] | null {
  const fields: Buffer[] = [];
  for (let at = 0; at < end; ) {
    if (at + 4 > end) return null;
    const next = at + 4 + bytes.readUInt32BE(at);
    if (next > end) return null;
    fields.push(bytes.subarray(at + 4, next));
    at = next;
  }
  return fields;
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
