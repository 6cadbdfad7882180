import { generateKeyPairSync, randomBytes } from 'node:crypto';

export interface Ed25519Pair {
  /** In OpenSSH's own format. */
  readonly privateKey: string;
  /** A line of `authorized_keys`. */
  readonly publicKey: string;
}

const TYPE = 'ssh-ed25519';
/** Bytes that both halves have, and that DER has before each of them (RFC 8410). */
const HALF = 32;
/** An unencrypted private key is padded to a multiple of this. */
const BLOCK = 8;
const LINE = 70;

/**
 * A new pair, in the format of OpenSSH's PROTOCOL.key. Written here: ssh2 drops a leading zero byte of the public half,
 * and programs that only need a key would load all of it.
 */
export function newEd25519Pair(comment: string): Ed25519Pair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
    publicKeyEncoding: { format: 'der', type: 'spki' },
  });
  const seed = privateKey.subarray(-HALF);
  const point = publicKey.subarray(-HALF);
  const blob = Buffer.concat([text(TYPE), text(point)]);
  const check = randomBytes(4);
  const secret = Buffer.concat([
    ...[check, check, blob, text(Buffer.concat([seed, point])), text(comment)],
  ]);
  const padding = Array.from({ length: -secret.length & (BLOCK - 1) }, (_, index) => index + 1);
  const file = Buffer.concat([
    ...[Buffer.from('openssh-key-v1\0'), text('none'), text('none'), text(''), number(1)],
    ...[text(blob), text(Buffer.concat([secret, Buffer.from(padding)]))],
  ]);
  const lines = file.toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return {
    privateKey: `${[BEGIN, ...lines, END].join('\n')}\n`,
    publicKey: `${TYPE} ${blob.toString('base64')} ${comment}`.trim(),
  };
}

const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----';
const END = '-----END OPENSSH PRIVATE KEY-----';

/** A string of the format: its length before it. */
function text(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([number(bytes.length), bytes]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
