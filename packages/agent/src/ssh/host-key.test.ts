import ssh2 from 'ssh2';
import { expect, it } from 'vitest';
import { generateHostKey, isKey, publicKeyOf } from './host-key.ts';

it('makes a key of its own each time, with a public half as in known_hosts', () => {
  const [one, other] = [publicKeyOf(generateHostKey()), publicKeyOf(generateHostKey())];
  expect(one).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]+=*$/);
  expect(other).not.toBe(one);
});

it('makes keys of which every one can be read by the SSH server, with the same public half', () => {
  const keys = Array.from({ length: 2000 }, generateHostKey);
  const wrong = keys.filter((pem) => {
    const key = ssh2.utils.parseKey(pem);
    if (key instanceof Error) return true;
    return `${key.type} ${key.getPublicSSH().toString('base64')}` !== publicKeyOf(pem);
  });
  expect(wrong).toEqual([]);
});

it('reads the keys that ssh2 has made', () => {
  for (let i = 0; i < 50; i++) {
    const { private: pem, public: line } = ssh2.utils.generateKeyPairSync('ed25519');
    const known = ssh2.utils.parseKey(pem);
    if (!(known instanceof Error)) expect(publicKeyOf(pem)).toBe(line.trim());
  }
});

it('recognises what is not a key', () => {
  expect(() => publicKeyOf('none')).toThrow('the host key is not an Ed25519 key');
  const pem = generateHostKey();
  const lines = pem.split('\n');
  expect(isKey([...lines.slice(0, 2), ...lines.slice(3)].join('\n'))).toBe(false);
  const rsa = ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 }).private;
  expect(isKey(rsa)).toBe(false);
});
