import type { Logger } from '../logging.ts';
import type { HostAccess, Hosts } from './hosts.ts';

/** Far below the time that a lease of a dead server lasts, which is what is waited for. */
const RETRY_MS = 1000;

/**
 * Links to this server's own machine, and again whenever it has no link: after a crash the lease of
 * the server that was here before has to run out, and one that could not be renewed is given up.
 * Answers how to stop; the link itself is closed with `hosts`.
 */
export async function keepLinked(
  hosts: Pick<Hosts, 'add' | 'has'>,
  access: HostAccess,
  log: Logger,
): Promise<() => void> {
  let busy = false;
  const link = async () => {
    if (busy || hosts.has(access.hostId)) return;
    busy = true;
    try {
      await hosts.add(access);
    } finally {
      busy = false;
    }
  };
  await link();
  const timer = setInterval(() => {
    link().catch((error) => log.warn({ err: error }, 'no link to the own machine yet'));
  }, RETRY_MS).unref();
  return () => clearInterval(timer);
}
