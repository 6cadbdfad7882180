import { describe, expect, it } from 'vitest';
import { createCipher, type EncryptionKey, generateKey, MissingKeyError } from './cipher.ts';

const aes = (name: string): EncryptionKey => ({ type: 'aes', name, secret: generateKey() });

describe('the cipher of stored secrets', () => {
  it('decrypts what it has encrypted, and stores no plain text', () => {
    const cipher = createCipher([aes('one')]);
    const stored = cipher.encrypt('päss:wörd');
    expect(stored).toMatch(/^enc:aes:one:/);
    expect(stored).not.toContain('wörd');
    expect(cipher.decrypt(stored)).toBe('päss:wörd');
  });

  it('encrypts the same text differently each time', () => {
    const cipher = createCipher([aes('one')]);
    expect(cipher.encrypt('x')).not.toBe(cipher.encrypt('x'));
  });

  it('reads values of an older key after a new one was added in front', () => {
    const old = aes('old');
    const stored = createCipher([old]).encrypt('x');
    expect(createCipher([aes('new'), old]).decrypt(stored)).toBe('x');
  });

  it('reports that the key of a value is missing', () => {
    const stored = createCipher([aes('old')]).encrypt('x');
    expect(() => createCipher([aes('new')]).decrypt(stored)).toThrow(MissingKeyError);
  });

  it('reads plain text written before there was a key', () => {
    const cipher = createCipher([aes('one')]);
    expect(cipher.decrypt('plain')).toBe('plain');
    expect(cipher.decrypt('enc:identity:noname:a:b')).toBe('a:b');
  });

  it('refuses a value that was modified', () => {
    const cipher = createCipher([aes('one')]);
    const stored = cipher.encrypt('secret');
    expect(() => cipher.decrypt(`${stored.slice(0, -4)}AAAA`)).toThrow(MissingKeyError);
  });
});
