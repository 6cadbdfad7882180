/**
 * Ed25519 host keys in the text form of OpenSSH, which ssh2 reads. They are made and read without
 * ssh2, which takes as long to load as the rest of the agent, and which drops a leading zero byte of
 * the public half (1.17), so that one key in 256 would be unreadable.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';

const TYPE = 'ssh-ed25519';
const MAGIC = 'openssh-key-v1\0';
const [BEGIN, END] = ['-----BEGIN OPENSSH PRIVATE KEY-----', '-----END OPENSSH PRIVATE KEY-----'];
const LINE = 70;
/** The private part of an unencrypted key is filled up to a multiple of this length. */
const BLOCK = 8;
const SEED = 32;

export function generateHostKey(): string {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const [seed, half] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  const blob = Buffer.concat([field(TYPE), field(half)]);
  const check = randomBytes(4);
  const secret = [check, check, blob, field(Buffer.concat([seed, half])), field('')];
  const body = Buffer.concat([
    ...[Buffer.from(MAGIC), field('none'), field('none'), field(''), number(1), field(blob)],
    field(filledUp(Buffer.concat(secret))),
  ]);
  const lines = body.toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return [BEGIN, ...lines, END, ''].join('\n');
}

export function isKey(pem: string): boolean {
  return publicBlob(pem) !== null;
}

/** `<type> <base64>` of its public half, as in `known_hosts`. Throws if the text is not a key. */
export function publicKeyOf(pem: string): string {
  const blob = publicBlob(pem);
  if (blob === null) throw new Error('the host key is not an Ed25519 key in the form of OpenSSH');
  return `${TYPE} ${blob.toString('base64')}`;
}

/** Null: it is not a key, or its halves do not belong together. */
function publicBlob(pem: string): Buffer | null {
  const [, base64 = ''] = pem.split(/-----(?:BEGIN|END) OPENSSH PRIVATE KEY-----/);
  const body = Buffer.from(base64, 'base64');
  if (body.toString('latin1', 0, MAGIC.length) !== MAGIC) return null;
  try {
    const outer = new Fields(body.subarray(MAGIC.length));
    for (const expected of ['none', 'none', '']) {
      if (outer.field().toString() !== expected) return null;
    }
    if (outer.number() !== 1) return null;
    const blob = outer.field();
    const inner = new Fields(outer.field());
    // Two equal numbers, for keys that were decrypted.
    const check = inner.number();
    if (inner.number() !== check || inner.field().toString() !== TYPE) return null;
    const half = inner.field();
    const seed = inner.field().subarray(0, SEED);
    const isWhole = blob.equals(Buffer.concat([field(TYPE), field(half)]));
    return isWhole && publicHalf(seed).equals(half) ? blob : null;
  } catch {
    // It is cut off, or damaged.
    return null;
  }
}

function publicHalf(seed: Buffer): Buffer {
  // The fixed head of a PKCS#8 file with an Ed25519 seed.
  const key = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const secret = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  const { x = '' } = createPublicKey(secret).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([number(bytes.length), bytes]);
}

function filledUp(bytes: Buffer): Buffer {
  const missing = (BLOCK - (bytes.length % BLOCK)) % BLOCK;
  return Buffer.concat([bytes, Buffer.from(Array.from({ length: missing }, (_, at) => at + 1))]);
}

/** Reads fields in turn; throws at the end. */
class Fields {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  number(): number {
    const value = this.#rest.readUInt32BE();
    this.#rest = this.#rest.subarray(4);
    return value;
  }

  field(): Buffer {
    const length = this.number();
    if (length > this.#rest.length) throw new RangeError('the key is cut off');
    const bytes = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return bytes;
  }
}
