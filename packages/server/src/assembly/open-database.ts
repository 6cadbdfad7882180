import { randomUUID } from 'node:crypto';
import { openStore, type Store, StoreError } from '@dstack/store';
import { systemClock, systemNow } from '../clock/system-clock.ts';
import { createCipher, type EncryptionKey, MissingKeyError } from '../config/cipher.ts';
import type { Logger } from '../process/logging.ts';
import { serverConfigPath } from '../process/server-folders.ts';
import { StartError } from '../process/start-error.ts';
import type { ServerSettings } from '../settings/settings.ts';

/**
 * Throws `StartError` for a database of another program or version, or if the encryption key is
 * missing.
 */
export async function openDatabase(
  settings: ServerSettings,
  keys: readonly EncryptionKey[],
  log: Logger,
): Promise<Store> {
  const cipher = createCipher(keys);
  const { databaseUrl: url, retention } = settings;
  const store = await openStore({
    url,
    cipher,
    now: systemNow,
    measured: () => systemClock.measured(),
    newId: randomUUID,
    logger: log,
    poolSize: settings.database.poolSize,
    maxOverflow: settings.database.maxOverflow,
    commandTimeoutMs: settings.database.commandTimeoutSeconds * 1000,
    storeEvents: retention.events > 0,
    shareHalfLife: settings.shareHalfLife,
    onStatement: settings.sqlEcho ? (sql) => log.info({ sql }, 'statement') : undefined,
  }).catch((error: unknown) => {
    if (error instanceof StoreError) {
      throw new StartError(error.message, { next: error.fix, cause: error });
    }
    throw error;
  });
  try {
    const sample = await store.meta.encryptedSample();
    if (sample !== null) cipher.decrypt(sample);
    return store;
  } catch (error) {
    await store.close();
    if (!(error instanceof MissingKeyError)) throw error;
    throw new StartError(`the database holds values that cannot be decrypted: ${error.message}`, {
      next: `put the key back into encryption.keys of ${serverConfigPath(settings.dir)}, or into DSTACK_ENCRYPTION_KEY if it came from there`,
      cause: error,
    });
  }
}
