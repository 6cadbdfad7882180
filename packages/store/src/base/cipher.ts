/**
 * Encryption of columns that contain secrets: user tokens, private keys, secret values, credentials
 * of backends and repositories. The server builds it from `encryption.keys` of its configuration.
 */
export interface Cipher {
  encrypt(text: string): string;
  /** Throws if the key of the value is not configured. */
  decrypt(text: string): string;
}
