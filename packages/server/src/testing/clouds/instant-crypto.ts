/**
 * Web Crypto hashes in other threads, for which a simulated clock does not wait. Signatures of requests are
 * computed at once instead, with the same results.
 */
import { createHash, createHmac } from 'node:crypto';

type Bytes = ArrayBuffer | Uint8Array;

const bytesOf = (data: Bytes): Uint8Array =>
  data instanceof Uint8Array ? data : new Uint8Array(data);
const bufferOf = (digest: Buffer): ArrayBuffer => new Uint8Array(digest).buffer;

const INSTANT = {
  importKey: async (_format: string, raw: Bytes) => bytesOf(raw),
  sign: async (_algorithm: string, key: Uint8Array, data: Bytes) =>
    bufferOf(createHmac('sha256', key).update(bytesOf(data)).digest()),
  digest: async (_algorithm: string, data: Bytes) =>
    bufferOf(createHash('sha256').update(bytesOf(data)).digest()),
};

/** Returns the function that takes the replacement back. */
export function useInstantCrypto(): () => void {
  const { subtle } = globalThis.crypto;
  Object.defineProperty(globalThis.crypto, 'subtle', { value: INSTANT, configurable: true });
  return () => {
    Object.defineProperty(globalThis.crypto, 'subtle', { value: subtle, configurable: true });
  };
}
