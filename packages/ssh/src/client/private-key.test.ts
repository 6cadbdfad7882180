import { generateKeyPairSync } from 'node:crypto';
import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { readablePrivateKey } from './private-key.ts';

const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
const keys = {
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ecdsa: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ed25519: () => generateKeyPairSync('ed25519').privateKey,
};

describe('a private key in PKCS#8', () => {
  it.each(Object.entries(keys))('of the kind %s becomes one that can be used', (_kind, make) => {
    const parsed = ssh2.utils.parseKey(readablePrivateKey(make().export(pkcs8).toString()));
    expect(parsed).not.toBeInstanceOf(Error);
  });

  it('of a kind that SSH does not have is refused', () => {
    const key = generateKeyPairSync('x25519').privateKey.export(pkcs8).toString();
    expect(() => readablePrivateKey(key)).toThrow(/x25519/);
  });
});
