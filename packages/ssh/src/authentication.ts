import type { AuthContext, Connection } from 'ssh2';
import type { VerifyingKey } from './public-keys.ts';

/** Keys that a client may offer before it is disconnected, like OpenSSH's MaxAuthTries. */
const MAX_TRIES = 6;

/**
 * Accepts public keys only. `accepted` is called once with the result of `find`, before the client
 * may open channels; if it rejects, the client is refused. `find` must take the same time for every
 * key, and decides what the login name means.
 */
export function authenticate<Found extends { readonly key: VerifyingKey }>(
  client: Connection,
  find: (blob: Buffer, login: string) => Found | null | Promise<Found | null>,
  accepted: (found: Found, login: string) => void | Promise<void>,
): void {
  let failures = 0;
  const refuse = (context: AuthContext) => {
    if (context.method !== 'none') failures += 1;
    if (failures < MAX_TRIES) context.reject(['publickey']);
    else client.end();
  };
  const decide = async (context: AuthContext): Promise<void> => {
    if (context.method !== 'publickey') return refuse(context);
    const found = await find(context.key.data, context.username);
    if (!found) return refuse(context);
    // Without a signature the client only queries whether this key is accepted.
    if (!context.signature || !context.blob) return context.accept();
    if (found.key.verify(context.blob, context.signature, context.hashAlgo) !== true) {
      return refuse(context);
    }
    await accepted(found, context.username);
    context.accept();
  };
  // ssh2 passes on the next request of a client when this one is decided.
  client.on('authentication', (context) => {
    decide(context).catch(() => refuse(context));
  });
}
