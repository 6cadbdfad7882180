import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

/**
 * The same unencrypted private key in a form that ssh2 reads: it supports OpenSSH's own form,
 * PKCS#1 and SEC1, but not PKCS#8 (`BEGIN PRIVATE KEY`). Throws an `Error` for a text that is not a
 * private key.
 */
export function readablePrivateKey(pem: string): string {
  if (!pem.includes('-----BEGIN PRIVATE KEY-----')) return pem;
  const key = createPrivateKey(pem);
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return key.export({ type: 'pkcs1', format: 'pem' }).toString();
    case 'ec':
      return key.export({ type: 'sec1', format: 'pem' }).toString();
    case 'ed25519':
      return openSshEd25519(key);
    default:
      throw new Error(`SSH has no keys of the type ${key.asymmetricKeyType}`);
  }
}

/** OpenSSH's container `openssh-key-v1` (its PROTOCOL.key), without encryption. */
function openSshEd25519(key: KeyObject): string {
  const seed = rawPart(key.export({ format: 'jwk' }).d);
  const point = rawPart(createPublicKey(key).export({ format: 'jwk' }).x);
  const type = Buffer.from('ssh-ed25519');
  const check = Buffer.from(seed.subarray(0, 4));
  const secret = Buffer.concat([seed, point]);
  const plain = Buffer.concat([check, check, text(type), text(point), text(secret), text('')]);
  // Padded to blocks of 8 with 1, 2, 3, ...
  const padding = Buffer.from(Array.from({ length: -plain.length & 7 }, (_, i) => i + 1));
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...['none', 'none', ''].map(text),
    uint32(1),
    text(Buffer.concat([text(type), text(point)])),
    text(Buffer.concat([plain, padding])),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
  const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} OPENSSH PRIVATE KEY-----`);
  return `${[begin, ...lines, end].join('\n')}\n`;
}

function rawPart(value: string | undefined): Buffer {
  return Buffer.from(value ?? '', 'base64url');
}

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
