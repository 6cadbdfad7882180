import { describe, expect, it } from 'vitest';
import { createCipher, type EncryptionKey, generateKey, MissingKeyError } from './cipher.ts';

const aes = (name: string): EncryptionKey => ({ type: 'aes', name, secret: generateKey() });

describe('the cipher of stored secrets', () => {
  it('gives back what it was given and stores no clear text', () => {
    const cipher = createCipher([aes('one')]);
    const stored = cipher.encrypt('päss:wörd');
    expect(stored).toMatch(/^enc:aes:one:/);
    expect(stored).not.toContain('wörd');
    expect(cipher.decrypt(stored)).toBe('päss:wörd');
  });

  it('writes the same text differently each time', () => {
    const cipher = createCipher([aes('one')]);
    expect(cipher.encrypt('x')).not.toBe(cipher.encrypt('x'));
  });

  it('reads values of an older key after a new one was put in front', () => {
    const old = aes('old');
    const stored = createCipher([old]).encrypt('x');
    expect(createCipher([aes('new'), old]).decrypt(stored)).toBe('x');
  });

  it('says so when the key of a value is gone', () => {
    const stored = createCipher([aes('old')]).encrypt('x');
    expect(() => createCipher([aes('new')]).decrypt(stored)).toThrow(MissingKeyError);
  });

  it('reads clear text written before there was a key', () => {
    const cipher = createCipher([aes('one')]);
    expect(cipher.decrypt('plain')).toBe('plain');
    expect(cipher.decrypt('enc:identity:noname:a:b')).toBe('a:b');
  });

  it('refuses a value that was tampered with', () => {
    const cipher = createCipher([aes('one')]);
    const stored = cipher.encrypt('secret');
    expect(() => cipher.decrypt(`${stored.slice(0, -4)}AAAA`)).toThrow(MissingKeyError);
  });
});
