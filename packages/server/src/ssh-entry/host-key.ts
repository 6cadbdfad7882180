import { newEd25519Pair } from '@dstack/ssh/ed25519-pair';
import type { Store } from '@dstack/store';

const KEY = 'ssh_entry_host_key';

/** The private host key of the entry: made once, and the same for all servers of a database. */
export async function entryHostKey({ meta, cipher }: Pick<Store, 'meta' | 'cipher'>) {
  const made = () => cipher.encrypt(newEd25519Pair('dstack').privateKey);
  const sealed = (await meta.get(KEY)) ?? (await meta.setOnce(KEY, made()));
  return cipher.decrypt(sealed);
}
