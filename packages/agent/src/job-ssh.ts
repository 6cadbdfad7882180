import type { OpenJobAccess } from './jobs/job-access.ts';
import type { Logger } from './log.ts';
import { loadHostKey } from './ssh/host-key.ts';
import { startJobSsh } from './ssh/job-ssh-server.ts';

/** Opens the SSH server of a job. */
export function openJobAccess(stateDir: string, log: Logger): OpenJobAccess {
  const hostKeyPem = loadHostKey(stateDir);
  return async ({ preferredPort, spec, dial, logs }) =>
    await startJobSsh({
      preferredPort,
      authorizedKeys: spec.authorized_keys,
      hostKeyPem,
      dial,
      logs,
      onUnusableKey: (owner, reason) => log.info('key left out', { job: spec.id, owner, reason }),
    });
}
