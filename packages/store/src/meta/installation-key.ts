import { randomBytes } from 'node:crypto';
import type { StoreContext } from '../context/context.ts';
import type { Meta } from './types.ts';

/** Reads a key of the installation, the same for all servers of one database; made on first use. */
export function installationKey(
  { cipher }: Pick<StoreContext, 'cipher'>,
  meta: Pick<Meta, 'get' | 'setOnce'>,
  name: string,
): () => Promise<Buffer> {
  let known: Buffer | null = null;
  return async () => {
    if (known !== null) return known;
    const made = () => cipher.encrypt(randomBytes(32).toString('base64'));
    const sealed = (await meta.get(name)) ?? (await meta.setOnce(name, made()));
    known = Buffer.from(cipher.decrypt(sealed), 'base64');
    return known;
  };
}
