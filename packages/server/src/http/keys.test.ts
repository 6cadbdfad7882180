import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { keyMaker } from './keys.ts';
import { parseKeyLine } from './public-key.ts';

describe('key pairs', () => {
  it('of users are RSA-2048 in PKCS#8 with one OpenSSH line that ends in the comment', async () => {
    const pair = await keyMaker().user('ann');
    expect(pair.privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(createPrivateKey(pair.privateKey).asymmetricKeyDetails).toMatchObject({
      modulusLength: 2048,
    });
    expect(pair.publicKey).toMatch(/^ssh-rsa [A-Za-z0-9+/=]+ ann\n$/);
    const parsed = ssh2.utils.parseKey(pair.publicKey);
    if (parsed instanceof Error) throw parsed;
    const spki = createPublicKey(pair.privateKey).export({ type: 'spki', format: 'pem' });
    expect(parsed.getPublicPEM().replaceAll(/\s/g, '')).toBe(String(spki).replaceAll(/\s/g, ''));
  });

  it('of projects are Ed25519 that SSH clients can read', async () => {
    const pair = await keyMaker().project('main');
    const parsed = ssh2.utils.parseKey(pair.privateKey);
    if (parsed instanceof Error) throw parsed;
    expect(parsed.type).toBe('ssh-ed25519');
    expect(pair.publicKey).toMatch(/^ssh-ed25519 \S+ main$/);
  });
});

describe('public keys of users', () => {
  const key =
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB3f4XOvP3BtqP7CQ9mNpNWGnLmG0r0S5mQm4lKqf9aX me@host';

  it('have the fingerprint that ssh-keygen shows', () => {
    const shown = execFileSync('ssh-keygen', ['-lf', '-'], { input: key }).toString();
    expect(parseKeyLine(key)).toMatchObject({
      type: 'ssh-ed25519',
      comment: 'me@host',
      fingerprint: shown.split(' ')[1],
    });
  });

  it.each(['', 'ssh-rsa', 'ssh-rsa AAAA', 'ssh-rsa !!!! x', `ssh-rsa ${key.split(' ')[1]}`])(
    '%j is not a public key',
    (line) => {
      expect(parseKeyLine(line)).toBe('invalid');
    },
  );

  it('are refused by name if their type is not supported', () => {
    const blob = Buffer.concat(
      ['ssh-dss', 'x'].map((text) =>
        Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]),
      ),
    );
    expect(parseKeyLine(`ssh-dss ${blob.toString('base64')}`)).toEqual({
      unsupported: 'ssh-dss',
    });
  });
});
