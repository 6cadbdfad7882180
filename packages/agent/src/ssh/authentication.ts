import type { AuthContext, Connection } from 'ssh2';
import type { KeyOwner, VerifyingKey } from './authorized-keys.ts';

/** Keys that a client may offer before it is disconnected, like OpenSSH's MaxAuthTries. */
const MAX_TRIES = 6;

/** A client that has proved to hold one of the job's keys. */
export interface SshIdentity {
  readonly owner: KeyOwner;
  /** The requested login name. Every name is accepted; a session decides what it means. */
  readonly login: string;
}

/**
 * Accepts public keys only. `accepted` is called once with the result of `find`, before the client
 * may open channels. `find` must take the same time for every key.
 */
export function authenticate<Found extends { readonly key: VerifyingKey }>(
  client: Connection,
  find: (blob: Buffer) => Found | null,
  accepted: (found: Found, login: string) => void,
): void {
  let failures = 0;
  const refuse = (context: AuthContext) => {
    if (context.method !== 'none') failures += 1;
    if (failures < MAX_TRIES) context.reject(['publickey']);
    else client.end();
  };
  client.on('authentication', (context) => {
    if (context.method !== 'publickey') return refuse(context);
    const found = find(context.key.data);
    if (!found) return refuse(context);
    // Without a signature the client only queries whether this key is accepted.
    if (!context.signature || !context.blob) return context.accept();
    if (found.key.verify(context.blob, context.signature, context.hashAlgo) !== true) {
      return refuse(context);
    }
    accepted(found, context.username);
    context.accept();
  });
}
