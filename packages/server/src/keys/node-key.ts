import type { JobSSHKey } from '@dstack/contract/wire';
import { newEd25519Pair } from '@dstack/ssh/ed25519-pair';
import type { Cipher } from '@dstack/store';

/**
 * The key pair with which the nodes of one submission log in to each other, as stored in a job's
 * spec: the private key is encrypted.
 */
export function newNodeKey(cipher: Cipher): JobSSHKey {
  const { privateKey, publicKey } = newEd25519Pair('dstack-job');
  return { private: cipher.encrypt(privateKey), public: publicKey };
}
