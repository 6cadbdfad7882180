import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

export interface KeyPair {
  /** PKCS#8 PEM: what clients write to a file for `ssh -i`. */
  readonly privateKey: string;
  /** `ssh-rsa AAAA… comment`, one line without its end. */
  readonly publicKey: string;
}

/** RSA-2048, as the wire has it for users and projects. */
export async function rsaPair(comment: string): Promise<KeyPair> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: `ssh-rsa ${sshBlob(publicKey).toString('base64')} ${comment}`,
  };
}

/** RFC 4253: the name of the algorithm, the exponent, the modulus, each with its length before it. */
function sshBlob(key: KeyObject): Buffer {
  const { e, n } = key.export({ format: 'jwk' });
  const parts = [Buffer.from('ssh-rsa'), positive(e ?? ''), positive(n ?? '')];
  return Buffer.concat(parts.flatMap((part) => [uint32(part.length), part]));
}

/** An `mpint` whose first bit is set would be negative. */
function positive(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url');
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
