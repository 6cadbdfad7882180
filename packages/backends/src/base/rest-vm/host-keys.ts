/**
 * The host key of a machine, derived from a secret of the installation: it is brought to the machine by
 * its user data and known before the first connection, also after a crash between the order and its record.
 */
import { createHmac, createPrivateKey, createPublicKey } from 'node:crypto';

export interface HostKeyPair {
  /** The private key in OpenSSH's own format. */
  readonly privateKey: string;
  /** A line as in `ssh_host_ed25519_key.pub`. */
  readonly publicKey: string;
  /** The public key as a server presents it, in base64. */
  readonly blob: string;
}

/** An Ed25519 key in PKCS #8 (RFC 8410), without its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const RAW = 32;
const TYPE = 'ssh-ed25519';
const BLOCK = 8;
const LINE = 70;

/** The same for the same secret and key of an order. */
export function hostKeyOf(secret: string, key: string): HostKeyPair {
  const seed = createHmac('sha256', secret).update(`host key of ${key}`).digest();
  const half = { key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' } as const;
  const spki = createPublicKey(createPrivateKey(half)).export({ format: 'der', type: 'spki' });
  const point = spki.subarray(-RAW);
  const blob = Buffer.concat([text(TYPE), text(point)]);
  return {
    privateKey: openSshKey(seed, point, blob),
    publicKey: `${TYPE} ${blob.toString('base64')}`,
    blob: blob.toString('base64'),
  };
}

/** The format `openssh-key-v1` without a passphrase (PROTOCOL.key of OpenSSH). */
function openSshKey(seed: Buffer, point: Buffer, blob: Buffer): string {
  // Equal numbers, which prove that a passphrase was right, may be any.
  const checks = Buffer.alloc(8);
  const secret = Buffer.concat([
    ...[checks, text(TYPE), text(point), text(Buffer.concat([seed, point])), text('')],
  ]);
  const padding = Buffer.from(
    Array.from({ length: (BLOCK - (secret.length % BLOCK)) % BLOCK }, (_, at) => at + 1),
  );
  const whole = Buffer.concat([
    ...[Buffer.from('openssh-key-v1\0'), text('none'), text('none'), text(''), count(1)],
    ...[text(blob), text(Buffer.concat([secret, padding]))],
  ]);
  const lines = whole.toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} OPENSSH PRIVATE KEY-----`);
  return [begin, ...lines, end, ''].join('\n');
}

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([count(bytes.length), bytes]);
}

function count(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
