import type { Parts } from './parts.ts';
import type { LocalCapacity } from './server-host.ts';

/** Much shorter than the life of the record. */
const RENEWAL_MS = 3_600_000;

/**
 * Records which projects share this server's machine, from now on and for as long as the server runs. All
 * servers of the database then agree on which projects have one queue.
 */
export async function shareServerHost(
  { store, log, closing }: Pick<Parts, 'store' | 'log' | 'closing'>,
  { hostId, host }: Pick<LocalCapacity, 'hostId' | 'host'>,
): Promise<void> {
  const shared = hostId === null ? null : { hostId, projects: host?.projects ?? new Set<string>() };
  await store.pools.shareServerHost(shared);
  const timer = setInterval(() => {
    store.pools.shareServerHost(shared).catch((error) => {
      log.warn({ err: error }, 'the projects of the server host were not recorded again');
    });
  }, RENEWAL_MS).unref();
  closing.add(() => clearInterval(timer));
}
