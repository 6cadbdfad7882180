import { randomUUID } from 'node:crypto';
import type { Cipher } from '../base/cipher.ts';
import type { OpenStoreOptions } from '../store.ts';

/** Not secret, but different from the text, which shows a test that a column was encrypted. */
export const testCipher: Cipher = {
  encrypt: (text) => `sealed:${Buffer.from(text).toString('base64')}`,
  decrypt(text) {
    if (!text.startsWith('sealed:')) throw new Error('written with another key');
    return Buffer.from(text.slice('sealed:'.length), 'base64').toString();
  },
};

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export function storeOptions(url: string): OpenStoreOptions {
  return {
    url,
    now: () => Date.now() * 1000,
    newId: randomUUID,
    logger: silent,
    cipher: testCipher,
    poolSize: 10,
  };
}
