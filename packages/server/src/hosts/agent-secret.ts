import { randomBytes } from 'node:crypto';
import type { Store } from '@dstack/store';

const KEY = 'agent-secret';
const BYTES = 32;

/**
 * The secret from which backends derive the tokens of the agents that they start: the same for all
 * servers of a database, and for as long as it exists. It is stored encrypted.
 */
export async function agentSecret({
  meta,
  cipher,
}: Pick<Store, 'meta' | 'cipher'>): Promise<string> {
  const made = () => cipher.encrypt(randomBytes(BYTES).toString('hex'));
  return cipher.decrypt((await meta.get(KEY)) ?? (await meta.setOnce(KEY, made())));
}
