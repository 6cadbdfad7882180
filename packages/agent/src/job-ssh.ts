import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './durable-file.ts';
import type { OpenJobAccess } from './jobs/job-access.ts';
import type { Logger } from './log.ts';
import { startJobSsh } from './ssh/job-ssh-server.ts';
import { generateHostKey } from './ssh/private-key.ts';
import { sessionRunner } from './ssh/sessions/run-session.ts';

/** Opens the SSH server of a job, with one host key for all jobs of this agent. */
export function openJobAccess(stateDir: string, log: Logger): OpenJobAccess {
  const hostKeyPem = hostKey(stateDir);
  return ({ preferredPort, spec, dial, logs, execution }) => {
    const host = () => execution()?.sessions ?? null;
    return startJobSsh({
      preferredPort,
      authorizedKeys: spec.authorized_keys,
      hostKeyPem,
      dial,
      logs,
      exec: sessionRunner(host),
      host,
      onUnusableKey: (owner, reason) => log.info('unusable key', { job: spec.id, owner, reason }),
    });
  };
}

function hostKey(stateDir: string): string {
  const path = join(stateDir, 'ssh-host-key');
  if (!existsSync(path)) writeDurably(path, generateHostKey());
  return readFileSync(path, 'utf8');
}
