import type { AuthContext, Connection } from 'ssh2';
import type { KeyOwner, VerifyingKey } from './authorized-keys.ts';

/** Keys a client may offer before it is cut off, as OpenSSH's MaxAuthTries. */
const MAX_TRIES = 6;

/** A client that has proved that it holds one of the job's keys. */
export interface Identity {
  readonly owner: KeyOwner;
  /** The name it asked to log in as. Any is let in: what it means is up to a session. */
  readonly login: string;
}

/**
 * Public keys only; `accepted` is called once, with what `find` has found, before the client may open
 * anything. `find` must take the same time whatever key is shown.
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
    // Without a signature the client only asks whether this key would do.
    if (!context.signature || !context.blob) return context.accept();
    if (found.key.verify(context.blob, context.signature, context.hashAlgo) !== true) {
      return refuse(context);
    }
    accepted(found, context.username);
    context.accept();
  });
}
