/**
 * Encryption of columns that hold secrets: user tokens, private keys, secret values, credentials of
 * backends and repositories. The server builds it from `encryption.keys` of its configuration.
 */
export interface Cipher {
  encrypt(text: string): string;
  /** Throws when the value was written with a key that is not there. */
  decrypt(text: string): string;
}
