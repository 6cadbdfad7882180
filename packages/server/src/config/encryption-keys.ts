import type { ServerConfig } from '@dstack/contract';
import { type ProcessEnv, SettingsError } from '@dstack/contract';
import type { EncryptionKey } from './cipher.ts';

const KEY_BYTES = 32;

/** The key of `DSTACK_ENCRYPTION_KEY`; null if it is not set. Throws `SettingsError`. */
export function environmentKey(env: ProcessEnv): EncryptionKey | null {
  const secret = env.DSTACK_ENCRYPTION_KEY?.trim();
  if (!secret) return null;
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(secret);
  if (!isBase64 || Buffer.from(secret, 'base64').length !== KEY_BYTES) {
    // The value must not appear anywhere, not even in an error.
    throw new SettingsError(
      'DSTACK_ENCRYPTION_KEY must be 32 bytes in base64, as `openssl rand -base64 32` prints them',
    );
  }
  return { type: 'aes', name: 'environment', secret };
}

/**
 * The first key encrypts, all decrypt: the key of the environment precedes those of `config.yml`.
 */
export function encryptionKeys(
  fromEnvironment: EncryptionKey | null,
  config: Pick<ServerConfig, 'encryption'>,
): readonly EncryptionKey[] {
  return [...(fromEnvironment ? [fromEnvironment] : []), ...(config.encryption?.keys ?? [])];
}

/** The warning of a server that stores secrets as plain text; null if it encrypts them. */
export function encryptionWarning(
  keys: readonly EncryptionKey[],
  configDisabled: boolean,
): string | null {
  if (keys[0]?.type === 'aes') return null;
  const since = configDisabled
    ? 'DSTACK_SERVER_CONFIG_DISABLED is set and DSTACK_ENCRYPTION_KEY is not'
    : 'the first of encryption.keys in config.yml is of type identity';
  return (
    `Tokens, keys and secrets are stored unencrypted, since ${since}. ` +
    'To encrypt what is stored from now on, set DSTACK_ENCRYPTION_KEY (openssl rand -base64 32).'
  );
}
