import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { newEd25519Pair } from '@dstack/ssh/ed25519-pair';
import type { KeyMaker, KeyPair } from './ports.ts';

const generate = promisify(generateKeyPair);

/** Keys from the system's random source. */
export function keyMaker(): KeyMaker {
  return { user: rsaPair, project: async (comment) => newEd25519Pair(comment) };
}

/** Clients only support RSA-2048 for users' pairs. */
async function rsaPair(comment: string): Promise<KeyPair> {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 });
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: `${openSshRsa(publicKey)} ${comment}\n`,
  };
}

/** `ssh-rsa <base64 of type, exponent and modulus>`. */
function openSshRsa(key: KeyObject): string {
  const { n = '', e = '' } = key.export({ format: 'jwk' });
  const parts = [Buffer.from('ssh-rsa'), positive(e), positive(n)];
  const blob = Buffer.concat(parts.flatMap((part) => [lengthOf(part), part]));
  return `ssh-rsa ${blob.toString('base64')}`;
}

/** SSH integers are signed: a leading one bit needs a zero byte before it. */
function positive(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url');
  return (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
}

function lengthOf(part: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return length;
}
