import { generateKeyPairSync } from 'node:crypto';
import ssh2 from 'ssh2';
import { expect, it } from 'vitest';
import { generateHostKey, readablePrivateKey } from './private-key.ts';

const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
const spki = { type: 'spki', format: 'pem' } as const;

const pairs = {
  'RSA-2048': () =>
    generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: pkcs8,
      publicKeyEncoding: spki,
    }),
  Ed25519: () =>
    generateKeyPairSync('ed25519', { privateKeyEncoding: pkcs8, publicKeyEncoding: spki }),
  'ECDSA P-256': () =>
    generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: pkcs8,
      publicKeyEncoding: spki,
    }),
};

it.each(Object.entries(pairs))('turns a PKCS#8 key (%s) into one that ssh2 reads', (_, make) => {
  const pem = make().privateKey;
  expect(ssh2.utils.parseKey(pem)).toBeInstanceOf(Error);
  const key = ssh2.utils.parseKey(readablePrivateKey(pem));
  if (key instanceof Error) throw key;
  const signature = key.sign('text');
  const publicKey = ssh2.utils.parseKey(`${key.type} ${key.getPublicSSH().toString('base64')}`);
  if (publicKey instanceof Error) throw publicKey;
  expect(publicKey.verify('text', signature)).toBe(true);
});

it('leaves other forms as they are', () => {
  const key = generateHostKey();
  expect(readablePrivateKey(key)).toBe(key);
});

it('says what is no private key', () => {
  expect(() => readablePrivateKey('-----BEGIN PRIVATE KEY-----\nAAAA')).toThrow();
});
