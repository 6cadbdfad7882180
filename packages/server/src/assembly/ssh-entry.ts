import type { AccessWatch } from '../access/access-watch.ts';
import type { SignInGuard } from '../callers/sign-in-guard.ts';
import { systemNow } from '../clock/system-clock.ts';
import type { RunChanges } from '../loops/run-changes.ts';
import { listen } from '../process/listen.ts';
import type { SshEntry, SshEntryOptions } from '../ssh-entry/ssh-entry.ts';
import type { Parts } from './parts.ts';

export interface SshEntryParts {
  readonly access: AccessWatch;
  readonly signIns: SignInGuard;
  readonly changes: RunChanges;
  readonly client: SshEntryOptions['client'];
  readonly logs: SshEntryOptions['logs'];
}

/** Null: there is none. Loaded only if it is configured. */
export async function startSshEntry(
  { settings, store, log, closing }: Parts,
  parts: SshEntryParts,
): Promise<SshEntry | null> {
  if (settings.sshEntry === null) return null;
  const { listen: address, route } = settings.sshEntry;
  const { SshEntry } = await import('../ssh-entry/ssh-entry.ts');
  const { entryHostKey } = await import('../ssh-entry/host-key.ts');
  const hostKeyPem = await entryHostKey(store);
  const entry = new SshEntry({ ...parts, store, hostKeyPem, now: systemNow, log });
  const listener = {
    listen: async ({ host, port }: typeof address) => String(await entry.listen(host, port)),
  };
  await listen(listener, address, 'DSTACK_SERVER_SSH_PORT');
  closing.add(() => entry.close());
  log.info({ ...address, clients: `${route.hostname}:${route.port}` }, 'the SSH entry listens');
  return entry;
}
