import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { keyPairOf } from './private-key.ts';

function newKey(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'key-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'key');
  execFileSync('ssh-keygen', ['-q', '-f', file, ...args]);
  const [type, blob] = readFileSync(`${file}.pub`, 'utf8').split(' ');
  return { text: readFileSync(file, 'utf8'), public: `${type} ${blob}` };
}

it.each(['ed25519', 'rsa', 'ecdsa'])('finds the public key of a private one: %s', (type) => {
  const key = newKey('-t', type, '-N', '');
  expect(keyPairOf(`\n${key.text}  `)).toEqual({ public: key.public, private: key.text });
});

it('explains what is wrong with a key', () => {
  const locked = newKey('-t', 'ed25519', '-N', 'secret').text;
  expect(() => keyPairOf(locked)).toThrow(/protected by a passphrase/);
  expect(() => keyPairOf('-----BEGIN RSA PRIVATE KEY-----\n')).toThrow(/format of OpenSSH/);
  expect(() => keyPairOf('secret')).toThrow(/must begin with/);
  const cut = `${locked.slice(0, 80)}\n-----END OPENSSH PRIVATE KEY-----`;
  expect(() => keyPairOf(cut)).toThrow(/damaged|passphrase/);
});
