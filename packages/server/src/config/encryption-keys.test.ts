import { describe, expect, it } from 'vitest';
import { createCipher, generateKey } from './cipher.ts';
import { encryptionKeys, encryptionWarning, environmentKey } from './encryption-keys.ts';

const secret = generateKey();
const key = environmentKey({ DSTACK_ENCRYPTION_KEY: secret });
const inFile = { type: 'aes', name: 'generated', secret: generateKey() } as const;

describe('the encryption key of the environment', () => {
  it('encrypts, while the keys of the file still decrypt', () => {
    const before = createCipher([inFile]).encrypt('old');
    const cipher = createCipher(encryptionKeys(key, { encryption: { keys: [inFile] } }));
    expect(cipher.encrypt('x')).toMatch(/^enc:aes:environment:/);
    expect(cipher.decrypt(before)).toBe('old');
  });

  it.each(['short', Buffer.alloc(31).toString('base64'), `${secret}!`, 'ä'])(
    'is refused without being shown if it is invalid: %s',
    (text) => {
      const read = () => environmentKey({ DSTACK_ENCRYPTION_KEY: text });
      expect(read).toThrow('DSTACK_ENCRYPTION_KEY must be 32 bytes in base64');
      expect(read).not.toThrow(text);
    },
  );

  it('counts as not set if it is empty', () => {
    expect(environmentKey({ DSTACK_ENCRYPTION_KEY: '' })).toBeNull();
  });
});

describe('a server without a key', () => {
  it('warns that it stores secrets as plain text, and how to encrypt them', () => {
    const text = encryptionWarning([], true);
    expect(text).toContain('stored unencrypted, since DSTACK_SERVER_CONFIG_DISABLED is set');
    expect(text).toContain('DSTACK_ENCRYPTION_KEY');
    expect(encryptionWarning([{ type: 'identity' }], false)).toContain('config.yml');
  });

  it('has no warning if there is a key', () => {
    expect(encryptionWarning(encryptionKeys(key, { encryption: null }), true)).toBeNull();
  });
});
