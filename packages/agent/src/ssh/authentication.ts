import type { AuthContext, Connection } from 'ssh2';
import type { AuthorizedKeys, KeyOwner } from './authorized-keys.ts';

/** Keys a client may offer before it is cut off, as OpenSSH's MaxAuthTries. */
const MAX_TRIES = 6;

/** A client that has proved that it holds one of the job's keys. */
export interface Identity {
  readonly owner: KeyOwner;
  /** The name it asked to log in as. Any is let in: what it means is up to a session. */
  readonly login: string;
}

/** Public keys only; `accepted` is called once, before the client may open anything. */
export function authenticate(
  client: Connection,
  keys: AuthorizedKeys,
  accepted: (identity: Identity) => void,
): void {
  let failures = 0;
  const refuse = (context: AuthContext) => {
    if (context.method !== 'none') failures += 1;
    if (failures < MAX_TRIES) context.reject(['publickey']);
    else client.end();
  };
  client.on('authentication', (context) => {
    if (context.method !== 'publickey') return refuse(context);
    const found = keys.find(context.key.data);
    if (!found) return refuse(context);
    // Without a signature the client only asks whether this key would do.
    if (!context.signature || !context.blob) return context.accept();
    if (found.key.verify(context.blob, context.signature, context.hashAlgo) !== true) {
      return refuse(context);
    }
    accepted({ owner: found.owner, login: context.username });
    context.accept();
  });
}
